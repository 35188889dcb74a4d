"""Detection floors: when each alert that a drill expects can be seen at the soonest and at the latest, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.declarations.alert_plan import AlertRule, Floor
from tocsin.harness.declarations.restarting_faults import AT_ONCE, restarted
from tocsin.harness.declarations.scenario import PlannedFault, PlannedPhase, Scenario
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.alert_routes import all_routes
from tocsin.harness.monitoring.monitoring_files import Monitoring
from tocsin.harness.monitoring.promql.expression import NotCompressible, parse
from tocsin.harness.monitoring.promql.recording_rules import inlined
from tocsin.harness.planning.time_to_fire import Need, Situation, need

DELIVERY_S = 0.1
"""Wall seconds at most from the end of group_wait until the receiver has answered, on loopback (measured: 0.03)."""

FLAGS: Mapping[str, str] = {
    "--query.lookback-delta": "5m",
    "--rules.alert.resend-delay": "1m",
    "--rules.alert.for-grace-period": "10m",
    "--rules.alert.for-outage-tolerance": "1h",
}
"""Durations of Prometheus that stand in no file, with their defaults."""


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


def floors(plan: Plan) -> Iterator[Floor]:
    """Yield the floor of every `alerts/fire` of a scenario, in order."""
    for line in plan.scenario.expect:
        if line.check == "alerts/fire":
            yield _floor(plan, line.args)


def _floor(plan: Plan, args: Mapping[str, Any]) -> Floor:
    """The soonest of the rules with that name decides the floor, the latest the ceiling."""
    rules = plan.monitoring.alert(str(args["alert"]))
    ways = [_way(plan, rule, args) for rule in rules] or [Floor(alert="", where="", parts={}, bound_s=0)]
    soonest = min(ways, key=lambda one: one.total_s)
    latest = max(ways, key=lambda one: one.ceiling_s)
    return Floor(
        alert=str(args["alert"]),
        where=str(args.get("during") or args.get("in") or "play"),
        parts=soonest.parts,
        most=latest.most,
        bound_s=parse_duration(str(args["within"])),
        fixed_s=sum(fixed_s(plan, args).values()),
        cold_s=soonest.cold_s,
        note=soonest.note,
        hopeless=soonest.hopeless if all(one.hopeless for one in ways) else "",
    )


def _way(plan: Plan, rule: AlertRule, args: Mapping[str, Any]) -> Floor:
    """Return the floor of one rule; its `for` ends with an evaluation, so it is rounded up to their grid."""
    found = _needed(plan, rule, args)
    interval_s = rule.interval_s or plan.monitoring.evaluation_interval_s
    for_s = math.ceil(rule.for_s / interval_s - 1e-9) * interval_s
    parts = {"window": found.least, "for": for_s}
    most = {
        "scrape": plan.monitoring.scrape_interval_s,
        "evaluation": interval_s,
        "window": max(found.most, found.least),
        "for": for_s,
    }
    receiver = args.get("delivered_to")
    if receiver:
        parts["grouping"], most["grouping"] = _waits(plan, rule, args, str(receiver))
        most["delivery"] = DELIVERY_S * plan.speed
    most["restart"] = sum(fixed_s(plan, args).values())
    kept = {name: part_s for name, part_s in most.items() if part_s}
    if args.get("during"):
        parts["witness"], kept["witness"] = -_witness_s(_declared_share(plan, args)) * plan.speed, 0.0
    return Floor(
        alert=rule.name,
        where="",
        parts={name: part_s for name, part_s in parts.items() if part_s or name == "for"},
        most=kept,
        bound_s=0.0,
        cold_s=found.cold_s,
        note=found.note,
        hopeless=found.hopeless,
    )


def _witness_s(share: float | None) -> float:
    """Return the wall seconds a witness may take: it sends log 0.01 / log(1 - share) requests."""
    looks = math.log(0.01) / math.log(1 - share) if share is not None and 0 < share < 1 else 0.0
    return max(WITNESS_S, PROBE_S * min(looks, MOST_PROBES))


def _needed(plan: Plan, rule: AlertRule, args: Mapping[str, Any]) -> Need:
    scales = plan.monitoring.scales
    try:
        node = inlined(parse(rule.expr), scales.recorded)
    except NotCompressible:
        return Need(note="the expression cannot be read")
    now = Situation(
        share=_declared_share(plan, args),
        history_s=_begins_s(plan, args),
        scrape_s=plan.monitoring.scrape_interval_s,
        scales=scales,
        signals=plan.stack.signals,
        largest_timer_s=max((each for timers in plan.stack.timers.values() for each in timers.values()), default=0.0),
    )
    return need(node, now)


def _waits(plan: Plan, rule: AlertRule, args: Mapping[str, Any], receiver: str) -> tuple[float, float]:
    """Return how long Alertmanager holds an alert back for that receiver: at the soonest, and at the latest.

    A group that an earlier alert has opened is past its group_wait: an alert that joins it goes out with the next tick
    of group_interval. Only groups by `alertname` are opened by the alert itself; another of its series may come first.
    """
    ends = [one.route for one in plan.monitoring.reached(rule, args.get("labels") or {})]
    routes = [route for route in ends if route.receiver == receiver]
    routes = routes or [route for route in all_routes(plan.monitoring.route) if route.receiver == receiver]
    several = sum(line.check == "alerts/fire" and line.args.get("alert") == rule.name for line in plan.scenario.expect)
    found = [(route, "..." in route.group_by, "alertname" in route.group_by) for route in routes]
    least = [route.group_wait_s if alone or own else 0.0 for route, alone, own in found]
    most = [
        route.group_wait_s if alone or (own and several < 2) else max(route.group_wait_s, route.group_interval_s)
        for route, alone, own in found
    ]
    return min(least, default=0.0), max(most, default=0.0)


def _declared_share(plan: Plan, args: Mapping[str, Any]) -> float | None:
    """Return the largest share that a fault declares there: the named one, or any that begins in the phase."""
    named, phase = args.get("during"), args.get("in")
    here = [fault for fault in plan.faults if fault.name == named or (named is None and fault.phase == phase)]
    found = [fault.params["share"] for fault in here if isinstance(fault.params.get("share"), (int, float))]
    return float(max(found)) if found else None


def _begins_s(plan: Plan, args: Mapping[str, Any]) -> float:
    """Return when what an expectation points at begins, production seconds from the start of play."""
    starts = {phase.name: phase.start_s for phase in plan.phases}
    injects = {fault.name: fault.inject_s for fault in plan.faults}
    return injects.get(str(args.get("during")), starts.get(str(args.get("in")), 0.0))


def since_s(plan: Plan, args: Mapping[str, Any]) -> tuple[float, float]:
    """Return from when a bound counts, and by how much of that a restart puts it off; both in production seconds.

    The injection or the heal of a fault waits for the role that it starts, and only then can its effect, or its end,
    be seen.
    """
    fault = next((fault for fault in plan.faults if fault.name == args.get("during")), None)
    if fault is None:
        return _begins_s(plan, args), 0.0
    ended = args.get("counts_from") == "end"
    waited_s = _start_s(plan, fault) if ended != (fault.kind in AT_ONCE) else 0.0
    return (fault.heal_s if ended else fault.inject_s) + waited_s, waited_s


def _start_s(plan: Plan, fault: PlannedFault) -> float:
    """Return how long the role that a fault starts anew takes for that, production seconds; 0 if there is none."""
    role = plan.stack.roles.get(restarted(fault.kind, fault.params, plan.stack.payload.role))
    return role.fixed_s * plan.speed if role else 0.0


def fixed_s(plan: Plan, args: Mapping[str, Any]) -> dict[str, float]:
    """Return role -> production seconds that its restarts add to a bound: those that overlap the bound itself.

    A killed role starts anew when it is healed, a restarted one at once. As `harness/evidence/role_restarts.py` judges it: a
    restart is over as long after the role is up as it took to get there.
    """
    begins_s, _ = since_s(plan, args)
    until_s = begins_s + parse_duration(str(args["within"]))
    added: dict[str, float] = {}
    for fault in plan.faults:
        lasts_s = _start_s(plan, fault)
        start_s = fault.inject_s if fault.kind in AT_ONCE else fault.heal_s
        if lasts_s and start_s <= until_s and begins_s <= start_s + 2 * lasts_s:
            role = restarted(fault.kind, fault.params, plan.stack.payload.role)
            added[role] = added.get(role, 0.0) + lasts_s
    return added


def warnings(plan: Plan, found: Sequence[Floor]) -> Iterator[str]:
    """Yield what the stack cannot meet, and by how much; such a drill is still played and judged."""
    for floor in found:
        name, bound = f"{floor.alert} in {floor.where}", format_duration(round(floor.allowed_s))
        if floor.hopeless:
            yield f"{name} cannot fire: {floor.hopeless}."
        elif floor.total_s > floor.allowed_s:
            over = format_duration(max(round(floor.total_s - floor.allowed_s), 1))
            yield f"{name} cannot be seen within {bound}: its floor is {over} later."
        elif floor.cold_s >= 1:
            sooner = format_duration(round(floor.cold_s))
            yield f"{name}: the history before it is shorter than its window, so it may come up to {sooner} too soon."
    expected = {str(line.args.get("alert")) for line in plan.scenario.expect if line.check == "alerts/fire"}
    for alert in sorted(expected):
        rules = plan.monitoring.alert(alert)
        if rules and not any(rule.loaded for rule in rules):
            yield f"{alert} stands in {rules[0].file}, which prometheus.yml does not load."
    yield from _unreached(plan)
    yield from _undivided(plan)


def _unreached(plan: Plan) -> Iterator[str]:
    for line in plan.scenario.expect:
        receiver, alert = line.args.get("delivered_to"), str(line.args.get("alert"))
        rules = [rule for rule in plan.monitoring.alert(alert) if rule.loaded]
        if line.check != "alerts/fire" or not receiver or not rules:
            continue
        ends = [one for rule in rules for one in plan.monitoring.reached(rule, line.args.get("labels") or {})]
        names = dict.fromkeys(one.route.receiver for one in ends)
        if str(receiver) not in names:
            yield f"{alert} is not led to {receiver}: its routes end at {', '.join(names) or 'no receiver'}."


def _undivided(plan: Plan) -> Iterator[str]:
    """Prometheus's own durations are flags: those that a stack leaves to their default stay as long at any speed."""
    for name, role in plan.stack.roles.items():
        if plan.speed == 1 or role.local is None or role.local.program != "prometheus":
            continue
        given = dict(part.split("=", 1) for part in role.local.argv if part.startswith("--") and "=" in part)
        for flag, default in FLAGS.items():
            if "{duration:" not in given.get(flag, ""):
                told = given.get(flag, f"its default of {default}")
                yield f"{name} keeps {flag} at {told} at any speed; write {flag}={{duration:{default}}} in stack.yaml."
