"""alerts/deadman: would a dead man's switch at the Watchdog's receiver ring, in time and not before?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field

from tocsin.harness.declarations.check_arguments import Bounded, Duration
from tocsin.harness.evidence.check_bounds import onset_bound, phase_interval, rounded
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown


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
    delivered = [notice for notice in evidence.notifications if notice.delivered]
    notices = [notice for notice in delivered if notice.receiver == watchdog.receiver]
    beats = [notice.at for notice in notices if notice.names(watchdog.alert, status="firing")]
    before = [at for at in beats if at < bound.since]
    if not before:
        return unknown(f"No {watchdog.alert} reached {watchdog.receiver} before {bound.event}, so nothing was to miss.")
    patience_s = args.after / evidence.speed
    early = _rings(before, patience_s)
    if early:
        ago = rounded((bound.since - early[0]) * evidence.speed)
        return failed(f"{switch} would have rung {ago} s before {bound.event}, for nothing.", rings=len(early))
    later = [at for at in beats if at >= bound.since]
    rings = _rings([before[-1], *later, phase_interval(evidence, None).end], patience_s)
    if not rings:
        return failed(f"{switch} would not have rung: {len(later)} beats came after {bound.event}.", beats=len(later))
    story = f"would have rung {bound.when(rings[0])}"
    figures = {"rings_s": round(bound.after_s(rings[0]), 3), "bound_s": bound.total_s}
    if rings[0] > bound.deadline:
        return failed(f"{switch} {story}, too late ({bound}).", **figures)
    again = [f"the next beat came {bound.when(at)}" for at in later if at > rings[0]]
    again.append("no beat came again")
    return passed(f"{switch} {story} ({bound}); {again[0]}.", **figures)


def window(evidence: Evidence, args: Deadman) -> Interval:
    """From where the beats must still come until the bound is over."""
    bound = onset_bound(evidence, args)
    return Interval(start=bound.begun, end=min(bound.deadline, phase_interval(evidence, None).end))


def _rings(beats: Sequence[float], patience_s: float) -> list[float]:
    """Return when a switch rings that hears these beats."""
    return [beat + patience_s for beat, following in pairwise(beats) if following - beat > patience_s]


CHECK = Check(
    summary="A dead man's switch that waits for the Watchdog's notices rings within the bound, and not before.",
    args=Deadman,
    judge=judge,
    streams=(),
    needs_load=False,
    window=window,
    files=("notifications.jsonl",),
)
