"""plan: scenario + stack + seed + speed -> Timeline. Pure but for reading the stack folder; touches no server."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tocsin.harness.core.clock import format_duration
from tocsin.harness.declarations.alert_timing import Floor
from tocsin.harness.declarations.builtin_roles import PROMETHEUS_DURATIONS
from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.declarations.scenario import Catalogue, Scenario, Traffic, pacer_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import PlannedFault, PlannedPhase, Step, Timeline
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.compress import compress_expr
from tocsin.harness.monitoring.promql.expression import NotCompressible
from tocsin.harness.planning.detection_bounds import Plan, fires, floors
from tocsin.harness.planning.random_faults import FaultPhase, drawn
from tocsin.harness.planning.speed_limits import limits

FASTEST = math.inf
"""The speed that stands for the largest honest one."""


def plan(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int | None, speed: float) -> Timeline:
    """Return the timeline; its `limits` say why this speed is not honest. `seed` None keeps the scenario's.

    The speed `FASTEST` is replaced by the largest honest one.
    """
    seed = scenario.seed if seed is None else seed
    first_speed = 1.0 if speed == FASTEST else speed
    placed = _placed(scenario, stack, catalogue, seed, first_speed)
    speed_limits = limits(placed)
    largest = math.floor(speed_limits[0].largest + 1e-9)
    if speed == FASTEST:
        placed = _placed(scenario, stack, catalogue, seed, largest)
    monitoring, expected = placed.monitoring, tuple(floors(placed))
    pacing = dict.fromkeys(warning for phase in placed.phases for warning in phase.paced.warnings)
    exceeded = [limit for limit in speed_limits if placed.speed > 1 and placed.speed > limit.largest + 1e-9]
    return Timeline(
        scenario=scenario,
        stack=stack,
        seed=seed,
        speed=placed.speed,
        phases=tuple(placed.phases),
        faults=tuple(placed.faults),
        steps=_steps(placed.phases, placed.faults),
        alerts=monitoring.alerts,
        floors=expected,
        aborts=tuple(_aborts(placed)),
        scrape_interval_s=monitoring.scrape_interval_s,
        evaluation_interval_s=monitoring.evaluation_interval_s,
        group_interval_s=monitoring.group_interval_s,
        warnings=(*_warnings(placed, expected), *pacing),
        limits=tuple(str(limit) for limit in exceeded),
        largest_speed=float(largest),
        limited_by=speed_limits[0].why,
    )


def _placed(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int, speed: float) -> Plan:
    phases = tuple(_phases(scenario, stack, catalogue, seed, speed))
    return Plan(
        scenario=scenario,
        stack=stack,
        monitoring=read_monitoring(stack),
        phases=phases,
        faults=tuple(_faults(scenario, phases, stack, seed)),
        speed=speed,
    )


def _phases(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int, speed: float) -> Iterator[PlannedPhase]:
    """Arrivals of the scenario run over the whole drill, those of a phase from its own start."""
    start_s, total_s = 0.0, sum(phase.lasts for phase in scenario.timeline)
    for phase in scenario.timeline:
        override = phase.traffic.model_dump(exclude_none=True)
        traffic = Traffic.model_validate({**scenario.traffic.model_dump(), **override})
        end_s = start_s + phase.lasts
        part_s, shape_s = (start_s, end_s), total_s
        if phase.traffic.arrivals is not None:
            part_s, shape_s = (0.0, phase.lasts), phase.lasts
        name, args = pacer_of(traffic.arrivals)
        paced = catalogue.pacers[name].plan(
            args,
            start_s=part_s[0],
            end_s=part_s[1],
            rate_per_s=traffic.rate_per_s,
            length_s=shape_s,
            speed=speed,
            seed=seed,
            folders=(scenario.folder, stack.folder),
        )
        yield PlannedPhase(
            name=phase.phase, start_s=start_s, end_s=end_s, traffic=traffic, payload=phase.payload, paced=paced
        )
        start_s = end_s


def _faults(scenario: Scenario, phases: Sequence[PlannedPhase], stack: Stack, seed: int) -> Iterator[PlannedFault]:
    for phase, placed in zip(scenario.timeline, phases, strict=True):
        written = FaultPhase(name=phase.phase, length_s=phase.lasts, faults=phase.faults)
        for plan, _ in drawn(written, stack, seed, scenario.budget or stack.budget):
            inject_s = placed.start_s + plan.at
            blinds = plan.fault.blinds(stack)
            yield PlannedFault(
                name=plan.name,
                fault=plan.fault,
                params=plan.params,
                phase=placed.name,
                inject_s=inject_s,
                heal_s=inject_s + plan.lasts if plan.lasts else placed.end_s,
                blinds=tuple((signal, role) for signal, role in blinds if stack.signals.has(signal)),
            )


def _aborts(placed: Plan) -> Iterator[tuple[Abort, str]]:
    """Yield the conditions that end the drill; one that cannot be kept at this speed is a limit of it."""
    for abort in placed.scenario.abort:
        if placed.speed == 1:
            yield abort, abort.when
            continue
        with suppress(NotCompressible):
            yield abort, compress_expr(abort.when, placed.speed, placed.monitoring.scales)


def _steps(phases: Sequence[PlannedPhase], faults: Sequence[PlannedFault]) -> tuple[Step, ...]:
    steps = [Step(at_s=fault.heal_s, action="heal", name=fault.name) for fault in faults]
    steps += [Step(at_s=phase.start_s, action="phase", name=phase.name) for phase in phases]
    steps += [Step(at_s=fault.inject_s, action="inject", name=fault.name) for fault in faults]
    steps.append(Step(at_s=phases[-1].end_s, action="end", name="end"))
    order = {"heal": 0, "phase": 1, "inject": 2, "end": 3}
    return tuple(sorted(steps, key=lambda step: (step.at_s, order[step.action])))


def _warnings(plan: Plan, expected: Sequence[Floor]) -> Iterator[str]:
    """Yield what the stack cannot meet, and by how much; such a drill is still played and judged."""
    for floor in expected:
        name, bound = f"{floor.alert} in {floor.where}", format_duration(round(floor.allowed_s))
        if floor.hopeless:
            yield f"{name} cannot fire: {floor.hopeless}."
        elif floor.total_s > floor.allowed_s:
            over = format_duration(max(round(floor.total_s - floor.allowed_s), 1))
            yield f"{name} cannot be seen within {bound}: its floor is {over} later."
        elif floor.cold_s >= 1:
            sooner = format_duration(round(floor.cold_s))
            yield f"{name}: the history before it is shorter than its window, so it may come up to {sooner} too soon."
    for alert in sorted({args.alert for args in fires(plan.scenario)}):
        rules = plan.monitoring.alert(alert)
        if rules and not any(rule.loaded for rule in rules):
            yield f"{alert} stands in {rules[0].file}, which prometheus.yml does not load."
    yield from _unreached(plan)
    yield from _undivided(plan)


def _unreached(plan: Plan) -> Iterator[str]:
    """Yield the receivers that no route leads the expected alert to."""
    for args in fires(plan.scenario):
        rules = [rule for rule in plan.monitoring.alert(args.alert) if rule.loaded]
        if args.delivered_to is None or not rules:
            continue
        ends = [reached.route for rule in rules for reached in plan.monitoring.reached(rule, args.labels)]
        receivers = list(dict.fromkeys(route.receiver for route in ends))
        if args.delivered_to not in receivers:
            led = ", ".join(receivers) or "no receiver"
            yield f"{args.alert} is not led to {args.delivered_to}: its routes end at {led}."


def _undivided(plan: Plan) -> Iterator[str]:
    """Prometheus's own durations are flags: those that a stack leaves to their default stay as long at any speed."""
    for name, role in plan.stack.roles.items():
        if plan.speed == 1 or role.local is None or role.local.program != "prometheus":
            continue
        given = dict(part.split("=", 1) for part in role.local.argv if part.startswith("--") and "=" in part)
        for flag, default in PROMETHEUS_DURATIONS.items():
            if "{duration:" not in given.get(flag, ""):
                value = given.get(flag, f"its default of {default}")
                yield f"{name} keeps {flag} at {value} at any speed; write {flag}={{duration:{default}}} in stack.yaml."
