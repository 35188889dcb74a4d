"""drift/flat: is no drift seen in the features that did not drift?"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.check_arguments import Args, FeatureName
from tocsin.harness.declarations.stack_signals import LabelledMetric
from tocsin.harness.evidence.check_bounds import phase_interval, rounded, scope_interval
from tocsin.harness.evidence.stream_coverage import cut_out, planned_blindness
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown

ENOUGH = 0.5
"""The share of the scrapes due that must hold a sample of each feature."""

FEWEST = 3


class Flat(Args):
    """Which features may drift; all others must not."""

    spared: tuple[FeatureName, ...] = Field(default=(), alias="except")


def judge(evidence: Evidence, args: Flat) -> Finding:
    """Look at the detected gauge of every other feature, at each scrape of the window."""
    place = scope_interval(evidence, args)
    if evidence.signals.drift is None:
        return unknown("The stack declares no drift gauge.")
    features = [feature for feature in evidence.run["features"] if feature not in args.spared]
    if not features:
        return unknown("No feature is left to look at.")
    detected = evidence.signals.drift.detected
    due = _due(evidence, detected, place)
    short, risen, counts = [], [], []
    for feature in features:
        times, values = _samples(evidence, detected, feature, place)
        counts.append(len(times))
        rises = times[values > 0]
        if len(rises):
            at_s = (float(rises[0]) - phase_interval(evidence, None).start) * evidence.speed
            risen.append(f"{feature} at {rounded(at_s)} s")
        known = np.count_nonzero(~np.isnan(values))
        if known < max(FEWEST, ENOUGH * due):
            short.append(f"{feature} ({known} samples of {due:.0f} due)")
    figures = {"features": len(features)}
    if risen:
        return failed(f"Drift was detected where none was sent: {', '.join(risen)}.", **figures)
    if short:
        return unknown(f"Too few samples to tell: {', '.join(short)}.", **figures)
    return passed(f"{len(features)} features stayed flat over at least {min(counts)} samples each.", **figures)


def _samples(
    evidence: Evidence, detected: LabelledMetric, feature: str, place: Interval
) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values of the feature's gauge within the window; of several series all samples, by time."""
    every = evidence.metrics.select(detected.metric, **{detected.label: feature})
    times = np.concatenate([np.empty(0), *(series.t for series in every)])
    values = np.concatenate([np.empty(0), *(series.v for series in every)])
    inside = (times >= place.start) & (times <= place.end)
    order = np.argsort(times[inside], kind="stable")
    return times[inside][order], values[inside][order]


def _due(evidence: Evidence, detected: LabelledMetric, place: Interval) -> float:
    """Return the scrapes due in the window, less those in which a fault blinds metrics or drift on purpose."""
    holes = [*planned_blindness(evidence, "metrics"), *planned_blindness(evidence, "drift")]
    seen_s = sum(part.seconds for part in cut_out(place, holes))
    jobs = {series.labels.get("job", "") for series in evidence.metrics.select(detected.metric)}
    return seen_s / max(evidence.scrape_s(job) for job in jobs or {""})


CHECK = Check(
    summary="No drift is detected in any feature but those in `except`.",
    args=Flat,
    judge=judge,
    streams=("metrics", "drift"),
    files=("metrics/",),
)
