"""drift/rises: is the drift of a feature seen in time?"""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.harness.declarations.check_arguments import Bounded, FeatureName
from tocsin.harness.evidence.check_bounds import Bound, onset_bound
from tocsin.harness.evidence.metrics import Series, at
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown


class Rises(Bounded):
    """Which feature's drift must be detected, and the bound."""

    feature: FeatureName


def judge(evidence: Evidence, args: Rises) -> Finding:
    """Compare the first 1 of the feature's detected gauge with the bound; it must be 0 before."""
    bound = onset_bound(evidence, args)
    every = _series(evidence, args)
    if not every:
        return unknown(f"No series says whether drift of {args.feature} was detected.")
    before = [at(series, bound.begun) for series in every]
    if None in before:
        return unknown(f"The drift of {args.feature} was never sampled before {bound.event}.")
    if any(value != 0 for value in before):
        return unknown(f"Drift of {args.feature} was already detected (or NaN) before {bound.event}.")
    rises = _rises(every, bound)
    if not rises:
        last = max(float(series.t[-1]) for series in every)
        if last + 1.6 * evidence.scrape_s(every[0].labels.get("job", "")) < bound.deadline:
            return unknown(f"The record of {args.feature}'s drift ended before the {bound} was over, still at 0.")
        return failed(f"Drift of {args.feature} not detected {bound.when(bound.deadline)} ({bound}).")
    first = min(rises)
    figures = {
        "detected_s": round(bound.after_s(first), 3),
        "bound_s": bound.total_s,
        "fixed_s": dict(bound.fixed_s),
    }
    if first > bound.deadline:
        return failed(f"Drift of {args.feature} detected only {bound.when(first)} ({bound}).", **figures)
    return passed(f"Drift of {args.feature} detected {bound.when(first)} ({bound}).", **figures)


def window(evidence: Evidence, args: Rises) -> Interval:
    """From where the gauge must still be 0 to its rise, else to the end of the bound."""
    bound = onset_bound(evidence, args)
    return Interval(start=bound.begun, end=min([*_rises(_series(evidence, args), bound), bound.deadline]))


def _series(evidence: Evidence, args: Rises) -> list[Series]:
    drift = evidence.signals.drift
    if drift is None:
        return []
    return evidence.metrics.select(drift.detected.metric, **{drift.detected.label: args.feature})


def _rises(every: Sequence[Series], bound: Bound) -> list[float]:
    """Return, of each series that rises above 0 after `begun`, the time of its first such sample."""
    rises = [series.t[(series.t > bound.begun) & (series.v > 0)] for series in every]
    return [float(times[0]) for times in rises if len(times)]


CHECK = Check(
    summary="The feature's drift is detected within the bound, and was not before.",
    args=Rises,
    judge=judge,
    streams=("metrics", "drift"),
    window=window,
    files=("metrics/",),
)
