"""What limits the speed of a drill: intervals, noise, fixed latencies, and expressions that time cannot divide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.alert_timing import AlertRule
from tocsin.harness.declarations.check_arguments import Bounded
from tocsin.harness.monitoring.alert_routes import all_routes
from tocsin.harness.monitoring.promql.compression_analysis import analyse
from tocsin.harness.monitoring.promql.expression import NotCompressible, parse_or_none
from tocsin.harness.monitoring.promql.ratio_thresholds import Share, shares
from tocsin.harness.monitoring.promql.rule_files import inlined
from tocsin.harness.planning.detection_bounds import Plan, fixed_s, since_s

SHORTEST_PHASE_S = 1.0
"""Wall seconds that a phase should last at least: the resolution of what is asked and sent."""
SMALLEST_INTERVAL_S = 0.1
"""Wall seconds between scrapes below which Prometheus no longer keeps up (measured)."""
Z = 4.0
"""Standard deviations that must lie between the healthy share and the threshold: 1 in 31 000 looks by chance."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`largest` is the largest honest speed by this reason, at least 1; `why` is a sentence but for its full stop."""

    largest: float
    why: str

    def __str__(self) -> str:
        return f"{self.why[0].upper()}{self.why[1:]}; the largest honest speed is {math.floor(self.largest + 1e-9)}."


def limits(plan: Plan) -> tuple[Limit, ...]:
    """Return every limit of the speed, the tightest first. They do not depend on the plan's own speed."""
    reasons = [*_intervals(plan), *_noise(plan), *_drift(plan), *_fixed(plan), *_indivisible(plan)]
    if not plan.monitoring.intervals_s:
        reasons.append(_shortest(plan))
    speeds = [Limit(largest=max(largest, 1.0), why=why) for largest, why in reasons]
    return tuple(sorted(speeds, key=lambda limit: limit.largest))


def _intervals(plan: Plan) -> Iterator[tuple[float, str]]:
    """The shortest between scrapes, and the shortest between evaluations."""
    for kind in ("scrapes", "evaluations"):
        intervals = [(each_s, name) for name, each_s in plan.monitoring.intervals_s.items() if name.startswith(kind)]
        if intervals:
            each_s, name = min(intervals, key=lambda interval: interval[0])
            why = f"{name} every {each_s:g} s cannot be closer than {SMALLEST_INTERVAL_S:g} s"
            yield each_s / SMALLEST_INTERVAL_S, why


def _shortest(plan: Plan) -> tuple[float, str]:
    """Where nothing is scraped, the length of a phase is what is left to limit a speed."""
    phase = min(plan.phases, key=lambda phase: phase.end_s - phase.start_s)
    length_s = phase.end_s - phase.start_s
    why = f"the phase {phase.name} of {format_duration(length_s)} cannot be shorter than {SHORTEST_PHASE_S:g} s"
    return length_s / SHORTEST_PHASE_S, why


def _fixed(plan: Plan) -> Iterator[tuple[float, str]]:
    """What restarts add to a bound may be no more than the bound itself, and must fit into the rest of the drill."""
    wall = replace(plan, speed=1.0)
    length_s = plan.phases[-1].end_s
    for line in plan.scenario.expect:
        args = line.parsed
        if not isinstance(args, Bounded):
            continue
        added = fixed_s(wall, args)
        fixed = sum(added.values())
        if not fixed:
            continue
        begins_s, waited_s = since_s(wall, args)
        left_s = length_s - (begins_s - waited_s) - args.within
        name = line.args.get("alert") or line.check
        why = f"fixed latencies: the restart of {', '.join(added)} takes {fixed:g} s at any speed, and {name}'s bound"
        yield args.within / fixed, f"{why} is {format_duration(args.within)}"
        if waited_s:
            why = f"{why}, which begins {waited_s:g} s later, at any speed,"
        if left_s > 0:
            yield left_s / (fixed + waited_s), f"{why} leaves {format_duration(left_s)} of the drill"


def _indivisible(plan: Plan) -> Iterator[tuple[float, str]]:
    for file, why in plan.monitoring.indivisible:
        yield 1.0, f"rules: {file}: {why.rstrip('.')}"
    for abort in plan.scenario.abort:
        try:
            analyse(abort.when, plan.monitoring.scales)
        except NotCompressible as error:
            yield 1.0, f"abort: {error.message.rstrip('.')}"
    for route in all_routes(plan.monitoring.route):
        for name in route.intervals:
            yield 1.0, f"routes: the route to {route.receiver} keeps to the time of day ({name})"


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


def _noise(plan: Plan) -> Iterator[tuple[float, str]]:
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


def _drift(plan: Plan) -> Iterator[tuple[float, str]]:
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
