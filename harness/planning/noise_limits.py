"""Noise: how many events a window must hold, so that a threshold is not crossed by chance, and what K that allows."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.alert_timing import AlertRule
from tocsin.harness.monitoring.promql.expression import parse_or_none
from tocsin.harness.monitoring.promql.ratio_thresholds import Share, shares
from tocsin.harness.monitoring.promql.rule_files import inlined
from tocsin.harness.planning.detection_bounds import Plan

Z = 4.0
"""Standard deviations that must lie between the healthy share and the threshold: 1 in 31 000 looks by chance."""


def events_needed(healthy: float, threshold: float) -> float:
    """Return how many events a window must hold: n >= z^2 p (1 - p) / (threshold - p)^2, and one above the threshold.

    The normal approximation of a binomial share. Where healthy requests never fail by chance (p = 0), one stray
    failure in 1 / threshold requests must not reach the threshold.
    """
    distance = abs(threshold - healthy)
    if not distance:
        return float("inf")
    by_chance = Z**2 * healthy * (1 - healthy) / distance**2
    return max(by_chance, 1 / threshold) if threshold > 0 else by_chance


def noise_limits(plan: Plan) -> Iterator[tuple[float, str]]:
    """Yield (largest K, why) for each loaded alert that compares a share of the requests with a threshold."""
    signal = plan.stack.signals.requests
    rate, phase = _slowest(plan)
    if signal is None or not rate:
        return
    for rule, share in _request_shares(plan, signal.metric):
        counts_failures = share.good or share.picks({signal.label: signal.failed})
        needed = events_needed(signal.failed_share if counts_failures else 0.0, share.threshold)
        window = format_duration(share.window_s)
        yield (
            rate * share.window_s / needed,
            f"noise: {rule.name} needs {needed:.0f} requests in {window} to tell {share.threshold:.2g} from chance, "
            f"and {phase} sends {rate:g} per second",
        )


def _request_shares(plan: Plan, metric: str) -> Iterator[tuple[AlertRule, Share]]:
    for rule in plan.monitoring.alerts:
        node = parse_or_none(rule.expr)
        if not rule.loaded or node is None:
            continue
        for share in shares(inlined(node, plan.monitoring.scales.recorded)):
            if share.total.name == metric and share.threshold > 0:
                yield rule, share


def _slowest(plan: Plan) -> tuple[float, str]:
    """Return the lowest mean rate of a phase, in requests per wall second, and that phase's name."""
    rates = []
    for phase in plan.phases:
        asked = phase.paced.asked
        if asked.total and asked.length_s and not asked.users:  # a closed loop asks for no rate
            rates.append((asked.total / asked.length_s, phase.name))
    return min(rates, default=(0.0, ""))


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
