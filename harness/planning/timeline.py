"""plan: scenario + stack + seed + speed -> Timeline. Pure but for reading the stack folder; touches no server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

from tocsin.harness.declarations.guardrails import Abort
from tocsin.harness.declarations.scenario import (
    Catalogue,
    FaultPlan,
    PlannedFault,
    PlannedPhase,
    Scenario,
    Step,
    Timeline,
    Traffic,
    pacer_of,
)
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.monitoring_files import Monitoring, read_monitoring
from tocsin.harness.monitoring.promql.compress import compress_expr
from tocsin.harness.monitoring.promql.expression import NotCompressible
from tocsin.harness.planning.detection_bounds import Plan, floors, warnings
from tocsin.harness.planning.fault_schedule import reach_of
from tocsin.harness.planning.random_faults import drawn
from tocsin.harness.planning.speed_limits import limits

FASTEST = math.inf
"""The speed that stands for the largest honest one."""


def plan(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int | None, speed: float) -> Timeline:
    """Return the timeline; its `limits` say why this speed is not honest. `seed` None keeps the scenario's.

    The speed `FASTEST` is replaced by the largest honest one.
    """
    monitoring = read_monitoring(stack)
    seed = scenario.seed if seed is None else seed
    first = _placed(scenario, stack, catalogue, monitoring, seed, 1.0 if speed == FASTEST else speed)
    found = limits(first, catalogue)
    largest = math.floor(found[0].largest + 1e-9)
    placed = _placed(scenario, stack, catalogue, monitoring, seed, largest) if speed == FASTEST else first
    expected = tuple(floors(placed))
    return Timeline(
        scenario=scenario,
        stack=stack,
        seed=seed,
        speed=placed.speed,
        phases=tuple(placed.phases),
        faults=tuple(placed.faults),
        steps=_steps(tuple(placed.phases), tuple(placed.faults)),
        alerts=monitoring.alerts,
        floors=expected,
        aborts=_aborts(placed),
        scrape_interval_s=monitoring.scrape_interval_s,
        evaluation_interval_s=monitoring.evaluation_interval_s,
        group_interval_s=monitoring.group_interval_s,
        warnings=(
            *warnings(placed, expected),
            *dict.fromkeys(warning for phase in placed.phases for warning in phase.paced.warnings),
        ),
        limits=tuple(str(one) for one in found if placed.speed > 1 and placed.speed > one.largest + 1e-9),
        largest_speed=float(largest),
        limited_by=found[0].why,
    )


def _placed(
    scenario: Scenario, stack: Stack, catalogue: Catalogue, monitoring: Monitoring, seed: int, speed: float
) -> Plan:
    phases = tuple(_phases(scenario, stack, catalogue, seed, speed))
    faults = tuple(_faults(scenario, phases, stack, catalogue, seed))
    return Plan(scenario=scenario, stack=stack, monitoring=monitoring, phases=phases, faults=faults, speed=speed)


def _phases(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int, speed: float) -> Iterator[PlannedPhase]:
    """Arrivals of the scenario run over the whole drill, those of a phase from its own start."""
    start_s, whole_s = 0.0, sum(phase.lasts for phase in scenario.timeline)
    for phase in scenario.timeline:
        override = phase.traffic.model_dump(exclude_none=True)
        traffic = Traffic.model_validate({**scenario.traffic.model_dump(), **override})
        end_s, own = start_s + phase.lasts, phase.traffic.arrivals is not None
        name, args = pacer_of(traffic.arrivals)
        paced = catalogue.pacers[name].plan(
            args,
            start_s=0.0 if own else start_s,
            end_s=phase.lasts if own else end_s,
            rate_per_s=traffic.rate_per_s,
            length_s=phase.lasts if own else whole_s,
            speed=speed,
            seed=seed,
            folders=(scenario.folder, stack.folder),
        )
        yield PlannedPhase(
            name=phase.phase, start_s=start_s, end_s=end_s, traffic=traffic, payload=phase.payload, paced=paced
        )
        start_s = end_s


def _faults(
    scenario: Scenario, phases: tuple[PlannedPhase, ...], stack: Stack, catalogue: Catalogue, seed: int
) -> Iterator[PlannedFault]:
    reach, budget = reach_of(catalogue, stack), scenario.budget or stack.budget
    for phase, placed in zip(scenario.timeline, phases, strict=True):
        for fault, _ in drawn(phase, seed, reach, budget):
            inject_s = placed.start_s + fault.at
            yield PlannedFault(
                name=fault.name,
                kind=fault.kind,
                params=fault.params,
                phase=placed.name,
                inject_s=inject_s,
                heal_s=inject_s + fault.lasts if fault.lasts else placed.end_s,
                blinds=_blinds(fault, stack, catalogue),
            )


def _blinds(fault: FaultPlan, stack: Stack, catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    """Return what a fault blinds of the signals that the stack has: pairs (signal, role)."""
    blinds = catalogue.blinds.get(fault.kind)
    found = blinds(fault.params, stack) if blinds else ()
    return tuple((signal, role) for signal, role in found if stack.signals.has(signal))


def _aborts(placed: Plan) -> tuple[tuple[Abort, str], ...]:
    """Return the conditions that end the drill; one that cannot be kept at this speed is a limit of it."""
    scales, found = placed.monitoring.scales, []
    for abort in placed.scenario.abort:
        with suppress(NotCompressible):
            found.append((abort, compress_expr(abort.when, placed.speed, scales) if placed.speed > 1 else abort.when))
    return tuple(found)


def _steps(phases: tuple[PlannedPhase, ...], faults: tuple[PlannedFault, ...]) -> tuple[Step, ...]:
    steps = [Step(at_s=fault.heal_s, action="heal", name=fault.name) for fault in faults]
    steps += [Step(at_s=phase.start_s, action="phase", name=phase.name) for phase in phases]
    steps += [Step(at_s=fault.inject_s, action="inject", name=fault.name) for fault in faults]
    steps.append(Step(at_s=phases[-1].end_s, action="end", name="end"))
    order = {"heal": 0, "phase": 1, "inject": 2, "end": 3}
    return tuple(sorted(steps, key=lambda step: (step.at_s, order[step.action])))
