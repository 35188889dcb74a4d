"""Checks that everything a scenario names exists, and that its bounds fit into the drill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.core.untyped_data import items, mapping
from tocsin.harness.declarations.check_arguments import Bounded
from tocsin.harness.declarations.scenario import Catalogue, Expectation, Scenario
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.dashboards import readable
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.expression import NotPromql, parse
from tocsin.harness.planning.argument_references import Names, raw_references, references
from tocsin.harness.planning.diagnostics import Page, Where
from tocsin.harness.planning.fault_schedule import WrittenFault, misplaced, placements, unguarded
from tocsin.harness.planning.random_faults import FaultPhase
from tocsin.harness.planning.traffic_check import TrafficCheck

Rooms = dict[tuple[str, str], tuple[float, str]]


def unresolved(
    page: Page,
    stack: Stack,
    catalogue: Catalogue,
    faults: Sequence[Sequence[WrittenFault]],
    expect: Sequence[Expectation],
    scenario: Scenario | None = None,
    seed: int | None = None,
) -> list[Mistake]:
    """Return what does not resolve: phases, faults, alerts, features, payloads, roles, and bounds that cannot hold.

    `scenario` is the file without faults and expectations, None where it has mistakes of its own.
    """
    phases = _Phases.of(page)
    budget = stack.budget
    if scenario is not None:
        budget = scenario.budget or budget
        seed = scenario.seed if seed is None else seed
    placed = placements(
        faults, [(label, length_s or 0.0) for label, length_s in phases.lengths], stack, seed or 0, budget
    )
    try:
        names = _names(stack, catalogue, phases, placed)
    except UsageError as error:
        return list(error.mistakes)
    room = _rooms(phases, placed)
    mistakes = [
        *_named_twice(page, phases),
        *_traffic(TrafficCheck(page=page, stack=stack, catalogue=catalogue, names=names), phases),
        *misplaced(page, faults, phases.lengths, names),
    ]
    if phases.total_s is not None:
        mistakes += unguarded(page, placed, stack, budget)
    if scenario is not None:
        mistakes += _aborts(page, stack, scenario)
    for line in expect:
        mistakes += _expectation(page, line, catalogue.checks.get(line.check), names, room)
    return mistakes


@dataclass(frozen=True, kw_only=True)
class _Phases:
    """The phases as they stand in the file, and the name and length of each; None where the length is wrong."""

    written: Sequence[Mapping[str, object]]
    lengths: Sequence[tuple[str, float | None]]

    @classmethod
    def of(cls, page: Page) -> _Phases:
        """Read the phases of a scenario file."""
        written = [mapping(phase) for phase in items(page.content.get("timeline"))]
        return cls(written=written, lengths=[(str(phase.get("phase", "")), _length_s(phase)) for phase in written])

    @property
    def total_s(self) -> float | None:
        """The length of the drill, None where that of a phase is wrong."""
        known = [length_s for _, length_s in self.lengths if length_s is not None]
        return sum(known) if len(known) == len(self.lengths) else None


def _length_s(phase: Mapping[str, object]) -> float | None:
    try:
        return parse_duration(str(phase["for"]))
    except (KeyError, ValueError):
        return None


def _names(stack: Stack, catalogue: Catalogue, phases: _Phases, placed: Sequence[FaultPhase]) -> Names:
    """Return every name that an argument may refer to; UsageError if the stack's monitoring files cannot be read."""
    monitoring, dashboards = read_monitoring(stack), readable(stack)
    return {
        "phase": [label for label, _ in phases.lengths],
        "fault": [plan.name for phase in placed for plan in phase.faults],
        "alert": [rule.name for rule in monitoring.alerts],
        "feature": stack.payload.features,
        "receiver": monitoring.receivers,
        "role": list(stack.roles),
        "edge": stack.all_edges,
        "kind": catalogue.kinds,
        "panel": [panel.title for board in dashboards for panel in board.panels],
        "dashboard": [board.name for board in dashboards],
    }


def _rooms(phases: _Phases, placed: Sequence[FaultPhase]) -> Rooms:
    """Return how long a bound may be, and why, by (place, from where it counts); nothing where a length is wrong."""
    room: Rooms = {}
    for label, length_s in phases.lengths:
        if length_s is not None:
            for side in ("begin", "end"):
                room[f"phase {label}", side] = (length_s, f"the length of phase `{label}`")
    if phases.total_s is None:
        return room
    for phase in placed:
        for plan in phase.faults:
            begin_s = phase.start_s + plan.at
            end_s = begin_s + plan.lasts if plan.lasts else phase.start_s + phase.length_s
            for side, moment_s in (("begin", begin_s), ("end", end_s)):
                reason = f"what is left of the drill when `{plan.name}` {side}s"
                room[f"fault {plan.name}", side] = (phases.total_s - moment_s, reason)
    return room


def _named_twice(page: Page, phases: _Phases) -> Iterator[Mistake]:
    labels = [label for label, _ in phases.lengths]
    for index, label in enumerate(labels):
        if label in labels[:index]:
            yield page.mistake(("timeline", index), "phase", label, "a name used once")


def _traffic(check: TrafficCheck, phases: _Phases) -> Iterator[Mistake]:
    """Check what the scenario and each of its phases sends."""
    yield from check.answers()
    yield from check.users()
    yield from check.arrivals(("traffic",), mapping(check.page.content.get("traffic")), phases.total_s)
    for index, (phase, (_, length_s)) in enumerate(zip(phases.written, phases.lengths, strict=True)):
        yield from check.arrivals(("timeline", index, "traffic"), mapping(phase.get("traffic")), length_s)
        yield from check.payload(("timeline", index, "payload"), phase.get("payload"))
        yield from check.feedback_of_closed_users(index, phase)


def _aborts(page: Page, stack: Stack, scenario: Scenario) -> Iterator[Mistake]:
    """Check the conditions that end a drill: each is PromQL, and there is a Prometheus to ask."""
    for index, abort in enumerate(scenario.abort):
        where = ("abort", index, "when")
        if stack.prometheus is None:
            yield page.mistake(where, "when", abort.when, "no condition: this stack has no Prometheus to ask")
        try:
            parse(abort.when)
        except NotPromql as error:
            yield page.mistake(where, "when", abort.when, "a PromQL expression", error.message)


def _expectation(
    page: Page, line: Expectation, model: type[BaseModel] | None, names: Names, room: Rooms
) -> list[Mistake]:
    """Check a line of `expect`: the names among its arguments, and that the drill can hold its bound."""
    indexes = range(len(items(page.content["expect"])))
    index = next(index for index in indexes if page.line(("expect", index)) == line.line)
    path: Where = ("expect", index, line.check)
    if model is None:
        return []
    if line.parsed is None:
        return raw_references(page, path, model, line.args, names)
    mistakes = references(page, path, line.parsed, names)
    if isinstance(line.parsed, Bounded):
        args = line.parsed
        place = f"fault {args.during}" if args.during else f"phase {args.phase}"
        room_s, reason = room.get((place, args.counts_from), (args.within, ""))
        if args.within > room_s:
            expected = f"at most {format_duration(room_s)}, {reason}"
            mistakes.append(page.mistake((*path, "within"), "within", format_duration(args.within), expected))
    return mistakes
