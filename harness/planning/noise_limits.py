"""Noise: how many events a window must hold, so that a threshold is not crossed by chance, and what K that allows."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.alert_plan import AlertRule
from tocsin.harness.declarations.timeline import PlannedPhase
from tocsin.harness.monitoring.promql.expression import NotCompressible, parse
from tocsin.harness.monitoring.promql.ratio_thresholds import Share, shares
from tocsin.harness.monitoring.promql.recording_rules import inlined
from tocsin.harness.planning.detection_bounds import Plan

Z = 4.0
"""Standard deviations that must lie between the healthy share and the threshold: 1 in 31 000 looks by chance."""


def events_needed(healthy: float, threshold: float) -> float:
    """Return how many events a window must hold: n >= z^2 p (1 - p) / (threshold - p)^2, and one above the threshold.

    The normal approximation of a binomial share. Where healthy requests never fail by chance (p = 0), one stray
    failure in 1 / threshold requests must not reach the threshold.
    """
    distance = abs(threshold - healthy)
    by_chance = Z**2 * healthy * (1 - healthy) / distance**2 if distance else float("inf")
    return max(by_chance, 1 / threshold if threshold > 0 else 0.0)


def noise_limits(plan: Plan) -> Iterator[tuple[float, str]]:
    """Yield (largest K, why) for each loaded alert that compares a share of the requests with a threshold."""
    signal = plan.stack.signals.requests
    rate, phase = _slowest(plan)
    if signal is None or not rate:
        return
    healthy = signal.failed_share
    for rule, share in _request_shares(plan, signal.metric):
        needed = events_needed(healthy if _fails(share, signal.label, signal.failed) else 0.0, share.threshold)
        largest = rate * share.window_s / needed
        window = format_duration(share.window_s)
        yield (
            largest,
            f"noise: {rule.name} needs {needed:.0f} requests in {window} to tell {share.threshold:.2g} from chance, "
            f"and {phase} sends {rate:g} per second",
        )


def _fails(share: Share, label: str, failed: str) -> bool:
    return share.good or share.picks({label: failed})


def _request_shares(plan: Plan, metric: str) -> Iterator[tuple[AlertRule, Share]]:
    for rule in plan.monitoring.alerts:
        if not rule.loaded:
            continue
        try:
            node = inlined(parse(rule.expr), plan.monitoring.scales.recorded)
        except NotCompressible:
            continue
        for share in shares(node):
            if share.whole.name == metric and share.threshold > 0:
                yield rule, share


def _slowest(plan: Plan) -> tuple[float, str]:
    """Return the lowest mean rate of a phase, in requests per wall second, and that phase's name."""
    rates = [(_mean_rate(phase), phase.name) for phase in plan.phases]
    return min((one for one in rates if one[0] > 0), default=(0.0, ""))


def _mean_rate(phase: PlannedPhase) -> float:
    """A closed loop asks for no rate: 0."""
    asked = phase.paced.asked
    return asked.total / asked.length_s if asked.length_s and not asked.users else 0.0


def drift_limits(plan: Plan) -> Iterator[tuple[float, str]]:
    """Yield (largest K, why) where a drift check needs a smallest number of rows in its window."""
    drift = plan.stack.signals.drift
    rate, phase = _slowest(plan)
    if drift is None or not drift.window or not drift.rows or not rate:
        return
    window = format_duration(drift.window)
    yield (
        rate * drift.window / drift.rows,
        f"drift: a check needs {drift.rows} rows in {window}, and {phase} sends {rate:g} requests per second",
    )
