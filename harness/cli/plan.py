"""tocsin plan: prints what a run would do, and touches no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.options import Scenarios, Seed, Speed, StackName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.cli.prepare import Drill
    from harness.scenario import Timeline


def plan(scenarios: Scenarios, stack: StackName = None, speed: Speed = 1.0, seed: Seed = None) -> int:
    """Print what a run would do: steps, detection floors, limits.

    The detection floor of each expected alert stands beside its bound, with warnings and the limits of speed.
    Touches no server.
    """
    from harness.catalogue import catalogue
    from harness.cli.output import show
    from harness.cli.prepare import drills
    from harness.errors import PASS

    for drill in drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed):
        show(*_parts(drill))
    return PASS


def _parts(drill: Drill) -> list[RenderableType]:
    timeline = drill.timeline
    parts: list[RenderableType] = [_head(timeline), "", _steps(timeline)]
    if timeline.floors:
        parts += ["", _floors(timeline)]
    parts += ["", "Expected:"] + [f"  {line.check} {_written(line.args)}".rstrip() for line in timeline.scenario.expect]
    parts += [f"\nwarning: {warning}" for warning in timeline.warnings]
    parts += [f"\nlimit: {limit} `tocsin run` refuses this speed." for limit in timeline.limits]
    return [*parts, ""]


def _head(timeline: Timeline) -> str:
    from harness.cli.parts import AROUND_PLAY_S, memory_mib_of, programs_of
    from harness.clock import format_duration

    scenario, stack = timeline.scenario, timeline.stack
    length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
    return (
        f"{scenario.name}: {scenario.summary}\n"
        f"stack {stack.name}, seed {timeline.seed}, {length} of production time at speed {timeline.speed:g}: "
        f"{wall} of play and about {AROUND_PLAY_S} s around it\n"
        f"needs about {memory_mib_of(stack)} MiB of memory and {', '.join(programs_of(stack)) or 'no further program'}"
    )


def _steps(timeline: Timeline) -> RenderableType:
    from rich.table import Table

    from harness.clock import format_duration

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
        told = f"{traffic.rate_per_s:g} requests/s, {traffic.arrivals}, users {traffic.users}"
        details["phase", phase.name] = f"{told}, payload {_written(phase.payload)}" if phase.payload else told
    for fault in timeline.faults:
        blinds = ", ".join(f"{signal} of {role}" for signal, role in fault.blinds)
        details["inject", fault.name] = f"{fault.kind} {_written(fault.params)}" + (
            f", blinds {blinds}" if blinds else ""
        )
    return details


def _floors(timeline: Timeline) -> RenderableType:
    from rich.table import Table

    from harness.clock import format_duration

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("alert", "in", "soonest", "bound", "made of"):
        table.add_column(column, overflow="fold")
    for floor in timeline.floors:
        parts = " + ".join(f"{name} {format_duration(round(part_s, 1))}" for name, part_s in floor.parts.items())
        soonest = format_duration(round(floor.total_s, 1))
        table.add_row(floor.alert, floor.where, soonest, format_duration(floor.bound_s), parts)
    return table


def _written(args: object) -> str:
    """Return arguments as they look in a scenario file."""
    if isinstance(args, dict):
        return "{" + ", ".join(f"{key}: {_written(value)}" for key, value in args.items()) + "}" if args else ""
    if isinstance(args, (list, tuple)):
        return "[" + ", ".join(_written(item) for item in args) + "]"
    return str(args)
