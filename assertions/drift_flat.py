"""drift/flat: is no drift seen in the features that did not drift?"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tocsin.harness.declarations.references import Args, FeatureName
from tocsin.harness.evidence.check_bounds import phase_interval, rounded, scope_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import cut_out, planned_blindness
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

ENOUGH = 0.5
"""The share of the scrapes due that must hold a sample of each feature."""

FEWEST = 3


class Flat(Args):
    """Which features may drift; all others must not."""

    spared: tuple[FeatureName, ...] = Field(default=(), alias="except")


def judge(evidence: Evidence, args: Flat) -> Finding:
    """Look at the detected gauge of every other feature, at each scrape of the window."""
    drift = evidence.signals.drift
    place = scope_interval(evidence, args)
    features = [one for one in evidence.run["features"] if one not in args.spared]
    if drift is None or not features:
        return unknown("No feature is left to look at." if drift else "The stack declares no drift gauge.")
    due = _due(evidence, place)
    short, risen, fewest = [], [], np.inf
    for feature in features:
        times, values = _samples(evidence, feature, place)
        fewest = min(fewest, len(times))
        up = np.flatnonzero(values > 0)
        if len(up):
            at_s = (float(times[up[0]]) - phase_interval(evidence, None).start) * evidence.speed
            risen.append(f"{feature} at {rounded(at_s)} s")
        if np.count_nonzero(~np.isnan(values)) < max(FEWEST, ENOUGH * due):
            short.append(f"{feature} ({np.count_nonzero(~np.isnan(values))} samples of {due:.0f} due)")
    if risen:
        return failed(f"Drift was detected where none was sent: {', '.join(risen)}.", features=len(features))
    if short:
        return unknown(f"Too few samples to tell: {', '.join(short)}.", features=len(features))
    return passed(f"{len(features)} features stayed flat over at least {fewest} samples each.", features=len(features))


def _samples(evidence: Evidence, feature: str, place: Interval) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values of the feature's gauge within the window; of several series all samples, by time."""
    drift = evidence.signals.drift
    assert drift is not None
    found = evidence.metrics.select(drift.detected.metric, **{drift.detected.label: feature})
    times = np.concatenate([np.empty(0), *(one.t for one in found)])
    values = np.concatenate([np.empty(0), *(one.v for one in found)])
    inside = (times >= place.start) & (times <= place.end)
    order = np.argsort(times[inside], kind="stable")
    return times[inside][order], values[inside][order]


def _due(evidence: Evidence, place: Interval) -> float:
    """Return the scrapes due in the window, less those in which a fault blinds metrics or drift on purpose."""
    holes = [*planned_blindness(evidence, "metrics"), *planned_blindness(evidence, "drift")]
    seen_s = sum(part.seconds for part in cut_out(place, holes))
    drift = evidence.signals.drift
    jobs = {one.labels.get("job", "") for one in evidence.metrics.select(drift.detected.metric)} if drift else {""}
    return seen_s / max(evidence.scrape_s(job) for job in jobs or {""})


CHECK = Check(
    summary="No drift is detected in any feature but those in `except`.",
    args=Flat,
    judge=judge,
    streams=("metrics", "drift"),
    files=("metrics/",),
)
