"""Judge: evidence and checks in, verdicts out. Pure and repeatable: no network, no clock, no file but the evidence.

What stands in the way of an answer is looked for first, and makes it unknown, both ways: the run never began, it was
cut short, a signal was not ready, a fault was not seen to take effect, the load was not delivered, a stream was blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import inf

from pydantic import ValidationError

from tocsin.harness.core.errors import FAIL, PASS, UNKNOWN, EvidenceError
from tocsin.harness.declarations.references import Args
from tocsin.harness.declarations.scenario import Expectation
from tocsin.harness.evidence.check_bounds import clock_slack_s, cut_off, scope_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import blind_intervals
from tocsin.harness.judging.check import NEVER_BEGAN, Answer, Check, Finding, Verdict, unknown
from tocsin.harness.judging.verdicts import began_on, verdict

LOAD = "load/delivered"
"""The check that gates all others that need load; judged first, asked for or not, and as a gate on the whole run."""

_PLACES = ("in", "during")
_CLOCKS_S = 0.5
"""Wall seconds by which clocks may disagree at most, or one evaluation interval if that is longer."""


def judge(evidence: Evidence, checks: Mapping[str, Check], only: str | None = None) -> tuple[Verdict, ...]:
    """Return a verdict for each line of `expect` whose check id matches the glob `only`; the load's comes first.

    The load is judged even if the scenario does not list it. Never raises for what a run lacks: that is unknown.
    """
    expect = list(evidence.scenario.expect)
    load = next((one for one in expect if one.check == LOAD), Expectation(check=LOAD, args={}))
    verdicts = [_verdict(evidence, checks, load, None)]
    gate = Expectation(check=LOAD, args={key: value for key, value in load.args.items() if key not in _PLACES})
    whole = verdicts[0] if gate.args == load.args else _verdict(evidence, checks, gate, None)
    sent = _played_load(evidence, checks, gate, whole)
    verdicts += [_verdict(evidence, checks, one, sent) for one in expect if one is not load]
    return tuple(one for one in verdicts if only is None or fnmatchcase(one.check, only))


def overall(verdicts: Iterable[Verdict]) -> Answer:
    """Return the answer of a drill: fail beats unknown beats pass; no verdict at all is unknown."""
    answers = {one.counted for one in verdicts}
    for answer in (Answer.FAIL, Answer.UNKNOWN):
        if answer in answers:
            return answer
    return Answer.PASS if answers else Answer.UNKNOWN


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 0 for pass, 1 for fail, 2 for unknown."""
    return {Answer.PASS: PASS, Answer.FAIL: FAIL, Answer.UNKNOWN: UNKNOWN}[overall(verdicts)]


def _verdict(evidence: Evidence, checks: Mapping[str, Check], line: Expectation, load: Finding | None) -> Verdict:
    check = checks.get(line.check)
    if check is None:
        finding = unknown(f"There is no check {line.check} in this version.")
    else:
        finding = _finding(evidence, check, line, load)
    return verdict(line, finding, began_on(evidence), check.files if check else ())


def _played_load(evidence: Evidence, checks: Mapping[str, Check], line: Expectation, whole: Verdict) -> Finding:
    """Return whether the load was delivered as far as play went: a run cut short is still judged up to there."""
    if evidence.play is None or LOAD not in checks or not _cut_short(evidence, evidence.play):
        return Finding(answer=whole.answer, reason=whole.reason)
    try:
        return checks[LOAD].judge(evidence, checks[LOAD].args.model_validate(line.args))
    except Exception as error:
        return unknown(f"{type(error).__name__}: {_flat(str(error))}")


def _finding(evidence: Evidence, check: Check, line: Expectation, load: Finding | None) -> Finding:
    """Judge one line. The one place that catches everything: a check that crashes has no answer."""
    try:
        args = check.args.model_validate(line.args)
        reason = _never_began(evidence) or _not_ready(evidence, check, args)
        if not reason:
            window = (check.window or scope_interval)(evidence, args)
            reason = _obstacle(evidence, check, args, window, load)
        return unknown(reason) if reason else check.judge(evidence, args)
    except EvidenceError as error:
        return unknown(f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}.")
    except ValidationError as error:
        return unknown(f"The arguments do not fit this version of the check: {_flat(str(error))}")
    except Exception as error:
        return unknown(f"The check crashed: {type(error).__name__}: {_flat(str(error))}")


def _obstacle(evidence: Evidence, check: Check, args: Args, window: Interval, load: Finding | None) -> str:
    """Return what makes an answer about the window impossible, in one sentence; empty if nothing does."""
    reason = _cut_short(evidence, window) or _clocks_apart(evidence)
    if not reason and load is not None:  # the load itself rests on no fault and on no load
        reason = _unwitnessed(evidence, window, float(getattr(args, "within", 0.0)))
        if not reason and check.needs_load and load.answer is not Answer.PASS:
            reason = f"The load was not delivered: {load.reason}"
    return reason or _blind(evidence, check, args, window)


def _never_began(evidence: Evidence) -> str:
    if evidence.play is not None:
        return ""
    outcome = str(evidence.run.get("outcome") or "running")
    died = [f"{fact.more.get('role')} died: {fact.more.get('detail')}" for fact in evidence.facts("role_died")]
    errors = [str(fact.more.get("message")) for fact in evidence.facts("error")[:1]]  # the others follow from it
    reasons = ["the run was cut off" if outcome == "running" else outcome, *died, *errors]
    heads = [reason.strip().partition("\n")[0].rstrip(".:") for reason in reasons]  # a log's tail may follow
    told = [one for at, one in enumerate(heads) if not any(one in other for other in heads[:at])]
    return f"{NEVER_BEGAN}: {'; '.join(told)}."


def _streams(check: Check, args: Args) -> tuple[str, ...]:
    return (*check.streams, *(check.more_streams(args) if check.more_streams else ()))


def _not_ready(evidence: Evidence, check: Check, args: Args) -> str:
    """Return why a stream of the check is absent: left out of stack.yaml, or not ready before play (--keep-going)."""
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
    for stream in _streams(check, args):
        if declared.get(stream, True) is None:
            return f"The stack names no signal for {stream}."
        if ready.get(stream) is False:
            details = [str(f.more.get("detail")) for f in evidence.facts("canary") if f.more.get("signal") == stream]
            detail = details[-1].rstrip(".") if details else "no canary was seen"
            return f"The signal {stream} was not ready before play: {detail}."
    return ""


def _cut_short(evidence: Evidence, window: Interval) -> str:
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


def _unwitnessed(evidence: Evidence, window: Interval, within_s: float) -> str:
    """Return which fault, not seen to take effect or to go away, leaves open what the window shows."""
    if evidence.play is None:
        return ""
    for fault in evidence.faults.values():
        state = fault.last_state.replace("_", " ") or "nothing"
        if fault.effective_at is None:
            phase = evidence.phases.get(fault.phase)
            start = fault.injected_at if fault.injected_at is not None else (phase.start if phase else inf)
            healed = fault.healed_at if fault.healed_at is not None else evidence.play.end
            reach = Interval(start=start, end=healed + within_s / evidence.speed)
            what = "take effect" if fault.injected_at is not None else "be injected"
        elif fault.gone_at is None and fault.healed_at is not None:
            reach, what = Interval(start=fault.healed_at, end=inf), "go away after its heal"
        else:
            continue
        if window.overlaps(reach):
            return f"The fault {fault.name} was never seen to {what} (last seen: {state})."
    return ""


def _blind(evidence: Evidence, check: Check, args: Args, window: Interval) -> str:
    for stream in _streams(check, args):
        gaps = blind_intervals(evidence, stream, window)
        if gaps and evidence.play:
            first, reason = gaps[0]
            at_s = (first.start - evidence.play.start) * evidence.speed
            more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
            return f"The stream {stream} was blind from {at_s:.0f} s of play on: {reason.rstrip('.')}{more}."
    return ""


def _flat(text: str) -> str:
    return " ".join(text.split())
