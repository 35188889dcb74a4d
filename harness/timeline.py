"""plan: scenario + stack + seed + speed -> Timeline. Pure but for reading the stack folder; touches no server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.clock import format_duration, parse_duration
from harness.rules.compress import NotCompressible, compress_expr
from harness.rules.monitoring import Monitoring, read_monitoring
from harness.scenario import (
    Catalogue,
    Floor,
    PlannedFault,
    PlannedPhase,
    Scenario,
    Step,
    Timeline,
    Traffic,
)  # fmt: skip
from harness.stack import Stack

SMALLEST_SCRAPE_S = 0.1
"""Wall seconds between scrapes below which Prometheus no longer keeps up (measured)."""


def plan(scenario: Scenario, stack: Stack, catalogue: Catalogue, seed: int | None, speed: float) -> Timeline:
    """Return the timeline; its `limits` say why this speed is not honest. `seed` None keeps the scenario's."""
    monitoring = read_monitoring(stack)
    phases = tuple(_phases(scenario))
    faults = tuple(_faults(scenario, phases, stack, catalogue))
    floors = tuple(_floors(scenario, monitoring))
    return Timeline(
        scenario=scenario,
        stack=stack,
        seed=scenario.seed if seed is None else seed,
        speed=speed,
        phases=phases,
        faults=faults,
        steps=_steps(phases, faults),
        alerts=monitoring.alerts,
        floors=floors,
        scrape_interval_s=monitoring.scrape_interval_s,
        evaluation_interval_s=monitoring.evaluation_interval_s,
        group_interval_s=monitoring.group_interval_s,
        warnings=tuple(_warnings(floors, scenario, monitoring)),
        limits=tuple(_limits(monitoring, speed)),
    )


def _phases(scenario: Scenario) -> Iterator[PlannedPhase]:
    start_s = 0.0
    for phase in scenario.timeline:
        override = phase.traffic.model_dump(exclude_none=True)
        traffic = Traffic.model_validate({**scenario.traffic.model_dump(), **override})
        end_s = start_s + phase.lasts
        yield PlannedPhase(name=phase.phase, start_s=start_s, end_s=end_s, traffic=traffic, payload=phase.payload)
        start_s = end_s


def _faults(
    scenario: Scenario, phases: tuple[PlannedPhase, ...], stack: Stack, catalogue: Catalogue
) -> Iterator[PlannedFault]:
    for phase, placed in zip(scenario.timeline, phases, strict=True):
        for fault in phase.faults:
            inject_s = placed.start_s + fault.at
            blinds = catalogue.blinds.get(fault.kind)
            yield PlannedFault(
                name=fault.name,
                kind=fault.kind,
                params=fault.params,
                phase=placed.name,
                inject_s=inject_s,
                heal_s=inject_s + fault.lasts if fault.lasts else placed.end_s,
                blinds=tuple(blinds(fault.params, stack)) if blinds else (),
            )


def _steps(phases: tuple[PlannedPhase, ...], faults: tuple[PlannedFault, ...]) -> tuple[Step, ...]:
    steps = [Step(at_s=fault.heal_s, action="heal", name=fault.name) for fault in faults]
    steps += [Step(at_s=phase.start_s, action="phase", name=phase.name) for phase in phases]
    steps += [Step(at_s=fault.inject_s, action="inject", name=fault.name) for fault in faults]
    steps.append(Step(at_s=phases[-1].end_s, action="end", name="end"))
    order = {"heal": 0, "phase": 1, "inject": 2, "end": 3}
    return tuple(sorted(steps, key=lambda step: (step.at_s, order[step.action])))


def _floors(scenario: Scenario, monitoring: Monitoring) -> Iterator[Floor]:
    for expectation in scenario.expect:
        if expectation.check == "alerts/fire":
            yield _floor(expectation.args, monitoring)


def _floor(args: Mapping[str, Any], monitoring: Monitoring) -> Floor:
    rules = monitoring.alert(str(args["alert"]))
    parts = {
        "scrape": monitoring.scrape_interval_s,
        "evaluation": monitoring.evaluation_interval_s,
        "for": min((rule.for_s for rule in rules), default=0.0),
    }
    receiver = args.get("delivered_to")
    if receiver:
        parts["group_wait"] = monitoring.group_wait_s.get(str(receiver), 0.0)
    where = str(args.get("during") or args.get("in") or "play")
    return Floor(alert=str(args["alert"]), where=where, parts=parts, bound_s=parse_duration(str(args["within"])))


def _warnings(floors: tuple[Floor, ...], scenario: Scenario, monitoring: Monitoring) -> Iterator[str]:
    for floor in floors:
        if floor.total_s > floor.bound_s:
            over = format_duration(floor.total_s - floor.bound_s)
            bound = format_duration(floor.bound_s)
            yield f"{floor.alert} in {floor.where} cannot be seen within {bound}: its floor is {over} later."
    expected = {str(line.args.get("alert")) for line in scenario.expect if line.check == "alerts/fire"}
    for name in sorted(expected):
        rules = monitoring.alert(name)
        if rules and not any(rule.loaded for rule in rules):
            yield f"{name} stands in {rules[0].file}, which prometheus.yml does not load."


def _limits(monitoring: Monitoring, speed: float) -> Iterator[str]:
    largest = int(monitoring.scrape_interval_s / SMALLEST_SCRAPE_S + 1e-9)
    if monitoring.scrape_interval_s / speed < SMALLEST_SCRAPE_S:
        yield (
            f"A scrape every {monitoring.scrape_interval_s:g} s cannot be divided by {speed:g}; "
            f"the largest honest speed is {largest}."
        )
    for file, expr in monitoring.expressions if speed != 1 else ():
        try:
            compress_expr(expr, speed)
        except NotCompressible as error:
            yield f"{file}: {error} The largest honest speed is 1."
