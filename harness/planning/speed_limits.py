"""What limits the speed of a drill: intervals, noise, fixed latencies, and expressions that time cannot divide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.declarations.scenario import Catalogue
from tocsin.harness.monitoring.alert_routes import all_routes
from tocsin.harness.monitoring.promql.expression import NotCompressible
from tocsin.harness.monitoring.promql.rewrites import analyse
from tocsin.harness.planning.detection_bounds import Plan, fixed_s, since_s
from tocsin.harness.planning.noise_limits import drift_limits, noise_limits

SHORTEST_PHASE_S = 1.0
"""Wall seconds that a phase should last at least: the resolution of what is asked and sent."""
SMALLEST_INTERVAL_S = 0.1
"""Wall seconds between scrapes below which Prometheus no longer keeps up (measured)."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """`largest` is the largest honest speed by this reason, at least 1; `why` is a sentence but for its full stop."""

    largest: float
    why: str

    def __str__(self) -> str:
        return f"{self.why[0].upper()}{self.why[1:]}; the largest honest speed is {math.floor(self.largest + 1e-9)}."


def limits(plan: Plan, catalogue: Catalogue) -> tuple[Limit, ...]:
    """Return every limit of the speed, the tightest first. They do not depend on the plan's own speed."""
    found = [*_intervals(plan), *noise_limits(plan), *drift_limits(plan), *_fixed(plan, catalogue), *_indivisible(plan)]
    found += [] if plan.monitoring.intervals_s else [_shortest(plan)]
    made = [Limit(largest=max(largest, 1.0), why=why) for largest, why in found]
    return tuple(sorted(made, key=lambda one: one.largest))


def _intervals(plan: Plan) -> Iterator[tuple[float, str]]:
    """The shortest between scrapes, and the shortest between evaluations."""
    for kind in ("scrapes", "evaluations"):
        mine = {what: each_s for what, each_s in plan.monitoring.intervals_s.items() if what.startswith(kind)}
        if not mine:
            continue
        what = min(mine, key=lambda one: mine[one])
        told = f"{what} every {mine[what]:g} s cannot be closer than {SMALLEST_INTERVAL_S:g} s"
        yield mine[what] / SMALLEST_INTERVAL_S, told


def _shortest(plan: Plan) -> tuple[float, str]:
    """Where nothing is scraped, the length of a phase is what is left to limit a speed."""
    phase = min(plan.phases, key=lambda one: one.end_s - one.start_s)
    length_s = phase.end_s - phase.start_s
    told = f"the phase {phase.name} of {format_duration(length_s)} cannot be shorter than {SHORTEST_PHASE_S:g} s"
    return length_s / SHORTEST_PHASE_S, told


def _fixed(plan: Plan, catalogue: Catalogue) -> Iterator[tuple[float, str]]:
    """What restarts add to a bound may be no more than the bound itself, and must fit into the rest of the drill."""
    wall = Plan(**{**vars(plan), "speed": 1.0})
    length_s = plan.phases[-1].end_s
    for line in plan.scenario.expect:
        if "within" not in line.args:
            continue
        args = {**line.args, "counts_from": getattr(catalogue.checks.get(line.check), "counts_from", "begin")}
        added = fixed_s(wall, args)
        fixed, within_s = sum(added.values()), parse_duration(str(args["within"]))
        if not fixed:
            continue
        begins_s, waited_s = since_s(wall, args)
        left_s = length_s - (begins_s - waited_s) - within_s
        roles = ", ".join(added)
        alert = args.get("alert") or line.check
        told = f"fixed latencies: the restart of {roles} takes {fixed:g} s at any speed, and {alert}'s bound"
        yield within_s / fixed, f"{told} is {format_duration(within_s)}"
        if left_s > 0:
            later = f", which begins {waited_s:g} s later, at any speed," if waited_s else ""
            yield left_s / (fixed + waited_s), f"{told}{later} leaves {format_duration(left_s)} of the drill"


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
