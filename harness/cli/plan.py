"""tocsin plan: prints what a run would do, and touches no server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tocsin.harness.cli import engine_registry
from tocsin.harness.cli.console import plain_table, show
from tocsin.harness.cli.options import EngineName, Scenarios, Seed, Speed, StackName
from tocsin.harness.cli.usage_errors import Mistakes
from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import PASS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tocsin.harness.declarations.alert_timing import Floor
    from tocsin.harness.declarations.scenario import Expectation
    from tocsin.harness.declarations.timeline import PlannedFault, PlannedPhase, Timeline
    from tocsin.harness.engines.contract import Engine


def plan(
    scenarios: Scenarios, stack: StackName = None, engine: EngineName = "local", speed: Speed = 1.0, seed: Seed = None
) -> int:
    """Print what a run would do: steps, detection times, limits.

    For each expected alert: the soonest and latest time at which it can be seen, beside its bound. Also warnings, the
    largest honest speed, and what limits it. Starts nothing.
    """
    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.cli.plan_drills import drills

    mistakes = Mistakes()
    with mistakes:
        chosen = engine_registry.engine(engine)
    with mistakes:
        planned = drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed)
    mistakes.refuse()
    for drill in planned:
        show(*_parts(drill.timeline, chosen))
    return PASS


def _parts(timeline: Timeline, engine: Engine) -> Iterator[RenderableType]:
    yield from (_head(timeline, engine), "", _steps(timeline))
    if timeline.floors:
        yield from ("", _floors(timeline))
        yield from dict.fromkeys(f"  {floor.alert} in {floor.where}: {_made_of(floor)}" for floor in timeline.floors)
    yield from ("", "Expected:")
    yield from (f"  {_expectation(line)}" for line in timeline.scenario.expect)
    yield from _guardrails(timeline)
    yield f"\nThe largest honest speed is {timeline.largest_speed:g}; its limit: {timeline.limited_by}."
    yield from (f"\nwarning: {warning}" for warning in timeline.warnings)
    yield from (f"\nlimit: {limit} `tocsin run` refuses this speed." for limit in timeline.limits)
    yield ""


def _expectation(line: Expectation) -> str:
    written = f"{line.check} {_yaml(line.args)}".rstrip()
    if line.waive:
        written += f" (a failure is waived until {line.waive.until})"
    return written


def _guardrails(timeline: Timeline) -> Iterator[str]:
    budget = timeline.scenario.budget or timeline.stack.budget
    if budget is not None:
        yield f"\nAt most {budget.targets} broken at once, for {format_duration(budget.lasts)}."
    for abort, expression in timeline.aborts:
        held = f" for {format_duration(abort.lasts)}" if abort.lasts else ""
        yield f"\nAborts when this holds{held}: {abort.when}"
        if expression != abort.when:
            yield f"  at this speed: {expression}"


def _head(timeline: Timeline, engine: Engine) -> str:
    scenario, stack = timeline.scenario, timeline.stack
    length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
    programs = ", ".join(engine.programs(stack)) or "no further program"
    return (
        f"{scenario.name}: {scenario.summary}\n"
        f"stack {stack.name}, seed {timeline.seed}, {length} of production time at speed {timeline.speed:g}: "
        f"{wall} of play, plus about {engine.around_play_s} s for start and end\n"
        f"needs about {engine_registry.memory_mib_of(stack)} MiB of memory and {programs}"
    )


def _steps(timeline: Timeline) -> RenderableType:
    table = plain_table("production", "wall", "step", "what")
    details = {("phase", phase.name): _phase(phase) for phase in timeline.phases}
    details |= {("inject", fault.name): _fault(fault) for fault in timeline.faults}
    for step in timeline.steps:
        production, wall = format_duration(step.at_s), format_duration(step.at_s / timeline.speed)
        table.add_row(production, wall, f"{step.action} {step.name}", details.get((step.action, step.name), ""))
    return table


def _phase(phase: PlannedPhase) -> str:
    traffic = phase.traffic
    words = [phase.paced.words, f"users {traffic.users}"]
    if traffic.workers > 1:
        words.append(f"{traffic.workers} workers")
    if traffic.client != "keepalive":
        words.append(f"client {traffic.client}")
    if phase.payload:
        words.append(f"payload {_yaml(phase.payload)}")
    return ", ".join(words)


def _fault(fault: PlannedFault) -> str:
    words = f"{fault.kind} {_yaml(fault.params)}"
    if fault.blinds:
        words += ", blinds " + ", ".join(f"{signal} of {role}" for signal, role in fault.blinds)
    return words


def _floors(timeline: Timeline) -> RenderableType:
    table = plain_table("alert", "in", "soonest", "latest", "bound", "met")
    for floor in timeline.floors:
        bound = format_duration(floor.bound_s)
        if floor.fixed_s:
            bound += f" + {_brief(floor.fixed_s)}"
        soonest, latest = _brief(floor.total_s), _brief(floor.ceiling_s)
        if floor.hopeless:
            soonest = latest = "never"
        table.add_row(floor.alert, floor.where, soonest, latest, bound, _met(floor))
    return table


def _met(floor: Floor) -> str:
    """Say whether the bound can be met, and by how much it is missed."""
    if floor.hopeless:
        return "NO, it cannot fire"
    if floor.total_s > floor.allowed_s:
        return f"NO, {_brief(floor.total_s - floor.allowed_s)} too late"
    if floor.ceiling_s > floor.allowed_s:
        return f"perhaps, up to {_brief(floor.ceiling_s - floor.allowed_s)} too late"
    return "yes"


def _made_of(floor: Floor) -> str:
    """Return each part of a detection time from its least to its most, and what the window's part rests on."""
    parts = []
    for name in dict.fromkeys((*floor.most, *floor.parts)):
        least = floor.parts.get(name, 0.0)
        most = floor.most.get(name, least)
        if most > least:
            parts.append(f"{name} {_brief(least)}..{_brief(most)}")
        elif least or most:
            parts.append(f"{name} {_brief(least)}")
    words = " + ".join(parts)
    if floor.note:
        words += f" ({floor.note})"
    return words


def _brief(seconds: float) -> str:
    """Return seconds as a short duration: tenths below a minute, whole ones above."""
    if seconds < 60:
        return f"{round(seconds, 1):g}s"
    return format_duration(round(seconds))


def _yaml(value: object) -> str:
    """Return arguments as they look in a scenario file; none at all are empty."""
    if value == {}:
        return ""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return str(value)
