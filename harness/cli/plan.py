"""tocsin plan: prints what a run would do, and touches no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.harness.cli.options import EngineName, Scenarios, Seed, Speed, StackName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tocsin.harness.cli.prepare import Drill
    from tocsin.harness.declarations.scenario import Expectation, Floor, Timeline


def plan(
    scenarios: Scenarios,
    stack: StackName = None,
    engine: EngineName = "local",
    speed: Speed = 1.0,
    seed: Seed = None,
) -> int:
    """Print what a run would do: steps, detection floors, limits.

    For each expected alert, when it can be seen at the soonest and at the latest stands beside its bound, with
    warnings, the largest honest speed and what limits it. Touches no server.
    """
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.cli.catalogue import catalogue
    from tocsin.harness.cli.console import show
    from tocsin.harness.cli.prepare import drills, gathered
    from tocsin.harness.core.errors import PASS

    chosen, found = gathered(
        lambda: engine_registry.engine(engine),
        lambda: drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed),
    )
    for drill in found:
        show(*_parts(drill, chosen))
    return PASS


def _parts(drill: Drill, engine: Any = None) -> list[RenderableType]:
    timeline = drill.timeline
    parts: list[RenderableType] = [_head(timeline, engine), "", _steps(timeline)]
    if timeline.floors:
        parts += ["", _floors(timeline)]
        parts += dict.fromkeys(f"  {floor.alert} in {floor.where}: {_made_of(floor)}" for floor in timeline.floors)
    parts += ["", "Expected:"] + [f"  {_line(line)}" for line in timeline.scenario.expect]
    parts += _guardrails(timeline)
    parts += [f"\n{_speed(timeline)}"]
    parts += [f"\nwarning: {warning}" for warning in timeline.warnings]
    parts += [f"\nlimit: {limit} `tocsin run` refuses this speed." for limit in timeline.limits]
    return [*parts, ""]


def _line(line: Expectation) -> str:
    waived = f" (a failure is waived until {line.waive.until})" if line.waive else ""
    return f"{line.check} {_written(line.args)}".rstrip() + waived


def _guardrails(timeline: Timeline) -> list[str]:
    from tocsin.harness.core.clock import format_duration

    budget = timeline.scenario.budget or timeline.stack.budget
    told = (
        [] if budget is None else [f"\nAt most {budget.targets} broken at once, for {format_duration(budget.lasts)}."]
    )
    for abort, asked in timeline.aborts:
        held = f" for {format_duration(abort.lasts)}" if abort.lasts else ""
        told.append(
            f"\nAborts when this holds{held}: {abort.when}" + (f"\n  asked as {asked}" if asked != abort.when else "")
        )
    return told


def _speed(timeline: Timeline) -> str:
    return f"The largest honest speed is {timeline.largest_speed:g}; its limit: {timeline.limited_by}."


def _head(timeline: Timeline, engine: Any = None) -> str:
    from tocsin.harness.cli.engine_registry import around_play_s, memory_mib_of, programs_of
    from tocsin.harness.core.clock import format_duration

    scenario, stack = timeline.scenario, timeline.stack
    length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
    programs = ", ".join(programs_of(stack, engine)) or "no further program"
    return (
        f"{scenario.name}: {scenario.summary}\n"
        f"stack {stack.name}, seed {timeline.seed}, {length} of production time at speed {timeline.speed:g}: "
        f"{wall} of play and about {around_play_s(engine)} s around it\n"
        f"needs about {memory_mib_of(stack)} MiB of memory and {programs}"
    )


def _steps(timeline: Timeline) -> RenderableType:
    from rich.table import Table

    from tocsin.harness.core.clock import format_duration

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("production", "wall", "step", "what"):
        table.add_column(column, overflow="fold")
    details = _details(timeline)
    for step in timeline.steps:
        wall = format_duration(step.at_s / timeline.speed)
        table.add_row(
            format_duration(step.at_s), wall, f"{step.action} {step.name}", details.get((step.action, step.name), "")
        )
    return table


def _details(timeline: Timeline) -> dict[tuple[str, str], str]:
    details = {}
    for phase in timeline.phases:
        traffic = phase.traffic
        told = f"{phase.paced.words}, users {traffic.users}"
        told += f", {traffic.workers} workers" if traffic.workers > 1 else ""
        told += f", client {traffic.client}" if traffic.client != "keepalive" else ""
        details["phase", phase.name] = f"{told}, payload {_written(phase.payload)}" if phase.payload else told
    for fault in timeline.faults:
        blinds = ", ".join(f"{signal} of {role}" for signal, role in fault.blinds)
        details["inject", fault.name] = f"{fault.kind} {_written(fault.params)}" + (
            f", blinds {blinds}" if blinds else ""
        )
    return details


def _floors(timeline: Timeline) -> RenderableType:
    from rich.table import Table

    from tocsin.harness.core.clock import format_duration

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("alert", "in", "soonest", "latest", "bound", "met"):
        table.add_column(column, overflow="fold")
    for floor in timeline.floors:
        bound = format_duration(floor.bound_s) + (f" + {_brief(floor.fixed_s)}" if floor.fixed_s else "")
        soonest = "never" if floor.hopeless else _brief(floor.total_s)
        latest = "never" if floor.hopeless else _brief(floor.ceiling_s)
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
    """Return each part from its least to its most, and what the part of the window rests on."""
    told = []
    for name in dict.fromkeys((*floor.most, *floor.parts)):
        least, most = floor.parts.get(name, 0.0), floor.most.get(name, floor.parts.get(name, 0.0))
        if least or most:
            told.append(f"{name} {_brief(least)}" + (f"..{_brief(most)}" if most > least else ""))
    return " + ".join(told) + (f" ({floor.note})" if floor.note else "")


def _brief(seconds: float) -> str:
    """Return seconds as a short duration: tenths below a minute, whole ones above."""
    from tocsin.harness.core.clock import format_duration

    return f"{round(seconds, 1):g}s" if seconds < 60 else format_duration(round(seconds))


def _written(args: object) -> str:
    """Return arguments as they look in a scenario file."""
    if isinstance(args, dict):
        return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in args.items()) + "}" if args else ""
    if isinstance(args, (list, tuple)):
        return "[" + ", ".join(_written(item) for item in args) + "]"
    return str(args)
