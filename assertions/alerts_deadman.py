"""alerts/deadman: would a dead man's switch at the Watchdog's receiver ring, in time and not before?"""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field

from tocsin.harness.declarations.references import Bounded, Duration
from tocsin.harness.evidence.check_bounds import onset_bound, rounded
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown


class Deadman(Bounded):
    """`after`: how long the switch waits for a beat of the Watchdog before it rings, in production time."""

    after: Duration = Field(default=300.0, gt=0)


def judge(evidence: Evidence, args: Deadman) -> Finding:
    """Look for the first stretch without a delivered notice of the Watchdog that is longer than the switch waits."""
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return unknown("The stack names no Watchdog, so no switch can wait for it.")
    bound = onset_bound(evidence, args)
    switch = f"A dead man's switch at {watchdog.receiver} that waits {rounded(args.after)} s"
    beats = _beats(evidence)
    before = [at for at in beats if at < bound.since]
    if not before:
        return unknown(f"No {watchdog.alert} reached {watchdog.receiver} before {bound.event}, so nothing was to miss.")
    patience_s = args.after / evidence.speed
    early = [a + patience_s for a, b in pairwise(before) if b - a > patience_s]
    if early:
        ago = rounded((bound.since - early[0]) * evidence.speed)
        return failed(f"{switch} would have rung {ago} s before {bound.event}, for nothing.", rings=len(early))
    later = [at for at in beats if at >= bound.since]
    ended = [evidence.play.end] if evidence.play else []
    rings = [a + patience_s for a, b in pairwise([before[-1], *later, *ended]) if b - a > patience_s]
    if not rings:
        return failed(f"{switch} would not have rung: {len(later)} beats came after {bound.event}.", beats=len(later))
    story = f"would have rung {bound.when(rings[0])}"
    figures = {"rings_s": round(bound.after_s(rings[0]), 3), "bound_s": bound.total_s}
    if rings[0] > bound.deadline:
        return failed(f"{switch} {story}, too late ({bound}).", **figures)
    back = next((at for at in later if at > rings[0]), None)
    again = f"; the next beat came {bound.when(back)}" if back is not None else "; no beat came again"
    return passed(f"{switch} {story} ({bound}){again}.", **figures)


def window(evidence: Evidence, args: Deadman) -> Interval:
    """From where the beats must still come until the bound is over."""
    bound = onset_bound(evidence, args)
    return Interval(start=bound.begun, end=min(bound.deadline, evidence.play.end if evidence.play else bound.deadline))


def _beats(evidence: Evidence) -> list[float]:
    watchdog = evidence.signals.watchdog
    assert watchdog is not None
    told = (one for one in evidence.notifications if one.delivered and one.receiver == watchdog.receiver)
    return [one.at for one in told if one.names(watchdog.alert, status="firing")]


CHECK = Check(
    id="alerts/deadman",
    summary="A dead man's switch that waits for the Watchdog's notices rings within the bound, and not before.",
    args=Deadman,
    judge=judge,
    streams=(),
    needs_load=False,
    window=window,
    files=("notifications.jsonl",),
)
