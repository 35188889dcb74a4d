"""Obstacles: what makes an answer impossible, whatever the check would say: its verdict is unknown then.

The run never began, it was cut short, a signal was not ready, a fault was not seen to take effect, the load was not
delivered, a stream was blind. Each function returns the reason as one sentence, empty if nothing is in the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from tocsin.harness.declarations.check_arguments import Args, Bounded
from tocsin.harness.evidence.check_bounds import clock_slack_s, cut_off
from tocsin.harness.evidence.evidence import Evidence, PlayedFault
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import blind_intervals
from tocsin.harness.judging.check import NEVER_BEGAN, Answer, AnyCheck, Finding
from tocsin.harness.judging.wording import first_few

_CLOCKS_S = 0.5
"""Wall seconds by which clocks may disagree at most, or one evaluation interval if that is longer."""


def never_began(evidence: Evidence) -> str:
    """Return why play never began: the outcome of the run, which role died, the first error."""
    if evidence.play is not None:
        return ""
    outcome = str(evidence.run.get("outcome") or "running")
    if outcome == "running":
        outcome = "the run was cut off"
    died = [f"{fact.more.get('role')} died: {fact.more.get('detail')}" for fact in evidence.facts("role_died")]
    errors = [str(fact.more.get("message")) for fact in evidence.facts("error")[:1]]  # the others follow from it
    reasons: list[str] = []
    for text in (outcome, *died, *errors):
        reason = text.strip().partition("\n")[0].rstrip(".:")  # a log's tail may follow
        if not any(reason in earlier for earlier in reasons):
            reasons.append(reason)
    return f"{NEVER_BEGAN}: {'; '.join(reasons)}."


def not_ready(evidence: Evidence, streams: Iterable[str]) -> str:
    """Return why a stream is absent: left out of stack.yaml, or not ready before play (--keep-going)."""
    signals = evidence.signals
    declared: dict[str, object] = {
        "metrics": signals.jobs or None,
        "drift": signals.drift,
        "logs": signals.logs,
        "alerts": signals.watchdog,
        "notifications": signals.watchdog,
    }
    ready: dict[str, bool] = {}
    for fact in evidence.facts("ready"):
        ready |= fact.more.get("signals", {})
    for stream in streams:
        if declared.get(stream, True) is None:
            return f"The stack names no signal for {stream}."
        if ready.get(stream) is False:
            details = [str(f.more.get("detail")) for f in evidence.facts("canary") if f.more.get("signal") == stream]
            detail = ["no canary was seen", *details][-1].rstrip(".")
            return f"The signal {stream} was not ready before play: {detail}."
    return ""


def obstacle(evidence: Evidence, check: AnyCheck, args: Args, streams: Iterable[str], load: Finding | None) -> str:
    """Return what makes an answer about the window of a check impossible.

    `load` is whether the load was delivered, None for that check itself: it rests on no fault and on no load.
    """
    window = check.window(evidence, args)
    reason = cut_short(evidence, window) or _clocks_apart(evidence)
    if not reason and load is not None:
        reason = _unwitnessed(evidence, window, args)
        if not reason and check.needs_load and load.answer is not Answer.PASS:
            reason = f"The load was not delivered: {load.reason}"
    return reason or _blind(evidence, streams, window)


def cut_short(evidence: Evidence, window: Interval) -> str:
    """Return why the window was not played to its end: the run was interrupted or crashed, or a server died in it."""
    cut = cut_off(evidence)
    if cut is None or evidence.play is None or window.end < cut[0]:
        return ""
    return f"Not played to its end: {(cut[0] - evidence.play.start) * evidence.speed:.0f} s into play, {cut[1]}."


def _clocks_apart(evidence: Evidence) -> str:
    """Return that the clocks of the run disagree too much; less only widens the bounds."""
    apart_s = clock_slack_s(evidence)
    if apart_s <= max(_CLOCKS_S, float(evidence.run["evaluation_interval_s"]) / evidence.speed):
        return ""
    return f"The clocks of the run disagree by {apart_s:.1f} s, so nothing can be said about its times."


def _unwitnessed(evidence: Evidence, window: Interval, args: Args) -> str:
    """Return which fault, not seen to take effect or to go away, leaves open what the window shows."""
    within_s = args.within if isinstance(args, Bounded) else 0.0
    for fault in evidence.faults.values():
        for reach, effect in _unseen(evidence, fault, within_s):
            if window.overlaps(reach):
                state = fault.last_state.replace("_", " ") or "nothing"
                return f"The fault {fault.name} was never seen to {effect} (last seen: {state})."
    return ""


def _unseen(evidence: Evidence, fault: PlayedFault, within_s: float) -> Iterator[tuple[Interval, str]]:
    """Yield when nobody can tell what a fault did, and what was not seen; nothing for a fault that was witnessed."""
    if fault.effective_at is not None:
        if fault.gone_at is None and fault.healed_at is not None:
            yield Interval(start=fault.healed_at, end=inf), "go away after its heal"
        return
    healed = fault.healed_at
    if healed is None and evidence.play is not None:
        healed = evidence.play.end
    end = (healed or inf) + within_s / evidence.speed
    if fault.injected_at is not None:
        yield Interval(start=fault.injected_at, end=end), "take effect"
    elif fault.phase in evidence.phases:
        yield Interval(start=evidence.phases[fault.phase].start, end=end), "be injected"


def _blind(evidence: Evidence, streams: Iterable[str], window: Interval) -> str:
    for stream in streams:
        gaps = blind_intervals(evidence, stream, window)
        if gaps and evidence.play:
            at_s = (gaps[0][0].start - evidence.play.start) * evidence.speed
            reasons = first_few([reason.rstrip(".") for _, reason in gaps], 1, "")
            return f"The stream {stream} was blind from {at_s:.0f} s of play on: {reasons}."
    return ""
