"""Detection floors: when each alert that a drill expects can be seen at the soonest and at the latest, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tocsin.harness.declarations.alert_timing import AlertRule, Fire, Floor
from tocsin.harness.declarations.check_arguments import Bounded
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import PlannedFault, PlannedPhase
from tocsin.harness.monitoring.alert_routes import all_routes
from tocsin.harness.monitoring.monitoring_files import Monitoring
from tocsin.harness.monitoring.promql.expression import parse_or_none
from tocsin.harness.monitoring.promql.rule_files import inlined
from tocsin.harness.planning.time_to_true import Need, Situation, need

DELIVERY_S = 0.1
"""Wall seconds at most from the end of group_wait until the receiver has answered, on loopback (measured: 0.03)."""

WITNESS_S = 0.3
"""Wall seconds at most until a witness has seen a fault's effect, from where its bounds count (measured: 0.26)."""

PROBE_S, MOST_PROBES = 0.01, 200
"""Wall seconds that a witness's request takes, and how many of them one look has at most."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a floor is reckoned from: the scenario with its phases and faults in place, the stack and the speed."""

    scenario: Scenario
    stack: Stack
    monitoring: Monitoring
    phases: Sequence[PlannedPhase]
    faults: Sequence[PlannedFault]
    speed: float

    def fault(self, name: str | None) -> PlannedFault | None:
        """Return the fault of that name, None if there is none."""
        return next((fault for fault in self.faults if fault.name == name), None)


def fires(scenario: Scenario) -> list[Fire]:
    """Return the arguments of every `alerts/fire` of a scenario, in order."""
    return [line.arguments(Fire) for line in scenario.expect if line.check == "alerts/fire"]


def floors(plan: Plan) -> Iterator[Floor]:
    """Yield the floor of every `alerts/fire` of a scenario, in order."""
    for args in fires(plan.scenario):
        yield _floor(plan, args)


def _floor(plan: Plan, args: Fire) -> Floor:
    """The soonest of the rules with that name decides the floor, the latest the ceiling."""
    ways = [_way(plan, rule, args) for rule in plan.monitoring.alert(args.alert)]
    ways = ways or [Floor(alert="", where="", parts={}, bound_s=0)]
    soonest = min(ways, key=lambda way: way.total_s)
    latest = max(ways, key=lambda way: way.ceiling_s)
    floor = replace(
        soonest,
        alert=args.alert,
        where=args.during or args.phase or "play",
        most=latest.most,
        bound_s=args.within,
        fixed_s=sum(fixed_s(plan, args).values()),
    )
    if all(way.hopeless for way in ways):
        return floor
    return replace(floor, hopeless="")


def _way(plan: Plan, rule: AlertRule, args: Fire) -> Floor:
    """Return the floor of one rule; its `for` ends with an evaluation, so it is rounded up to their grid."""
    needed = _needed(plan, rule, args)
    interval_s = rule.interval_s or plan.monitoring.evaluation_interval_s
    for_s = math.ceil(rule.for_s / interval_s - 1e-9) * interval_s
    least = {"window": needed.least, "for": for_s}
    most = {
        "scrape": plan.monitoring.scrape_interval_s,
        "evaluation": interval_s,
        "window": max(needed.most, needed.least),
        "for": for_s,
    }
    if args.delivered_to:
        least["grouping"], most["grouping"] = _waits(plan, rule, args, args.delivered_to)
        most["delivery"] = DELIVERY_S * plan.speed
    most["restart"] = sum(fixed_s(plan, args).values())
    most = {name: part_s for name, part_s in most.items() if part_s}
    if args.during:
        least["witness"], most["witness"] = -_witness_s(_declared_share(plan, args)) * plan.speed, 0.0
    return Floor(
        alert=rule.name,
        where="",
        parts={name: part_s for name, part_s in least.items() if part_s or name == "for"},
        most=most,
        bound_s=0.0,
        cold_s=needed.cold_s,
        note=needed.note,
        hopeless=needed.hopeless,
    )


def _witness_s(share: float | None) -> float:
    """Return the wall seconds a witness may take: it sends log 0.01 / log(1 - share) requests."""
    if share is None or not 0 < share < 1:
        return WITNESS_S
    looks = math.log(0.01) / math.log(1 - share)
    return max(WITNESS_S, PROBE_S * min(looks, MOST_PROBES))


def _needed(plan: Plan, rule: AlertRule, args: Fire) -> Need:
    scales = plan.monitoring.scales
    node = parse_or_none(rule.expr)
    if node is None:
        return Need(note="the expression cannot be read")
    timers_s = [timer_s for timers in plan.stack.timers.values() for timer_s in timers.values()]
    situation = Situation(
        share=_declared_share(plan, args),
        history_s=_begins_s(plan, args),
        scrape_s=plan.monitoring.scrape_interval_s,
        scales=scales,
        signals=plan.stack.signals,
        largest_timer_s=max(timers_s, default=0.0),
    )
    return need(inlined(node, scales.recorded), situation)


def _waits(plan: Plan, rule: AlertRule, args: Fire, receiver: str) -> tuple[float, float]:
    """Return how long Alertmanager holds an alert back for that receiver: at the soonest, and at the latest.

    A group that an earlier alert has opened is past its group_wait: an alert that joins it goes out with the next tick
    of group_interval. Only groups by `alertname` are opened by the alert itself; another of its series may come first.
    """
    ends = [reached.route for reached in plan.monitoring.reached(rule, args.labels)]
    routes = [route for route in ends if route.receiver == receiver]
    routes = routes or [route for route in all_routes(plan.monitoring.route) if route.receiver == receiver]
    only_one = sum(other.alert == rule.name for other in fires(plan.scenario)) < 2
    least, most = [], []
    for route in routes:
        per_series, per_alert = "..." in route.group_by, "alertname" in route.group_by
        if per_series or per_alert:
            least.append(route.group_wait_s)
        else:
            least.append(0.0)
        if per_series or (per_alert and only_one):
            most.append(route.group_wait_s)
        else:
            most.append(max(route.group_wait_s, route.group_interval_s))
    return min(least, default=0.0), max(most, default=0.0)


def _declared_share(plan: Plan, args: Bounded) -> float | None:
    """Return the largest share that a fault declares there: the named one, or any that begins in the phase."""
    if args.during is not None:
        faults = [fault for fault in plan.faults if fault.name == args.during]
    else:
        faults = [fault for fault in plan.faults if fault.phase == args.phase]
    shares = [fault.params.get("share") for fault in faults]
    return max((float(share) for share in shares if isinstance(share, int | float)), default=None)


def _begins_s(plan: Plan, args: Bounded) -> float:
    """Return when what an expectation points at begins, production seconds from the start of play."""
    fault = plan.fault(args.during)
    if fault is not None:
        return fault.inject_s
    return next((phase.start_s for phase in plan.phases if phase.name == args.phase), 0.0)


def since_s(plan: Plan, args: Bounded) -> tuple[float, float]:
    """Return from when a bound counts, and by how much of that a restart puts it off; both in production seconds.

    The injection or the heal of a fault waits for the role that it starts, and only then can its effect, or its end,
    be seen.
    """
    fault = plan.fault(args.during)
    if fault is None:
        return _begins_s(plan, args), 0.0
    moment_s = {"begin": fault.inject_s, "end": fault.heal_s}[args.counts_from]
    if (args.counts_from == "end") == (fault.fault.restarts_role == "at_once"):
        return moment_s, 0.0
    waited_s = _start_s(plan, fault)
    return moment_s + waited_s, waited_s


def _restarted_role(plan: Plan, fault: PlannedFault) -> str:
    """Return the role that a fault ends and that starts anew, empty if none does."""
    if not fault.fault.restarts_role:
        return ""
    return str(fault.params.get("role", plan.stack.payload.role))


def _start_s(plan: Plan, fault: PlannedFault) -> float:
    """Return how long the role that a fault starts anew takes for that, production seconds; 0 if there is none."""
    role = plan.stack.roles.get(_restarted_role(plan, fault))
    if role is None:
        return 0.0
    return role.fixed_s * plan.speed


def fixed_s(plan: Plan, args: Bounded) -> dict[str, float]:
    """Return role -> production seconds that its restarts add to a bound: those that overlap the bound itself.

    A killed role starts anew when it is healed, a restarted one at once. As `evidence/check_bounds.py` judges it: a
    restart is over as long after the role is up as it took to get there.
    """
    begins_s, _ = since_s(plan, args)
    until_s = begins_s + args.within
    added: dict[str, float] = {}
    for fault in plan.faults:
        lasts_s = _start_s(plan, fault)
        start_s = fault.inject_s if fault.fault.restarts_role == "at_once" else fault.heal_s
        if lasts_s and start_s <= until_s and begins_s <= start_s + 2 * lasts_s:
            role = _restarted_role(plan, fault)
            added[role] = added.get(role, 0.0) + lasts_s
    return added
