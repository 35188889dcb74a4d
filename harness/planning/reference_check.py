"""Checks that everything a scenario names exists, and that its bounds fit into the drill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.core.plain_values import items, mapping
from tocsin.harness.declarations.payload_spec import ShapeBound
from tocsin.harness.declarations.references import Bounded
from tocsin.harness.declarations.scenario import Catalogue, Expectation, Scenario, pacer_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.dashboards import readable
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.expression import NotPromql, parse
from tocsin.harness.planning import locust_user_file
from tocsin.harness.planning.diagnostics import Names, Page, pieces, raw_references, references, unknown_name
from tocsin.harness.planning.fault_schedule import (
    PlacedFaults,
    Rooms,
    Where,
    WrittenFault,
    misplaced,
    placements,
    rooms,
    unguarded,
)


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
    check = _Check(page=page, stack=stack, catalogue=catalogue, names=names)
    mistakes = [
        *check.answers(),
        *check.users(),
        *check.phases_named_twice(phases),
        *check.arrivals(phases),
        *misplaced(page, faults, phases.lengths, names),
    ]
    if phases.total_s is not None:
        mistakes += unguarded(page, placed, stack, budget)
    if scenario is not None:
        mistakes += check.aborts(scenario)
    for index, phase in enumerate(phases.written):
        mistakes += check.payload(("timeline", index, "payload"), phase.get("payload"))
        mistakes += check.feedback_of_closed_users(index, phase)
    room = _rooms(phases, placed)
    return mistakes + [mistake for line in expect for mistake in check.expectation(line, room)]


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


def _names(stack: Stack, catalogue: Catalogue, phases: _Phases, placed: Sequence[PlacedFaults]) -> Names:
    """Return every name that an argument may refer to; UsageError if the stack's monitoring files cannot be read."""
    monitoring, dashboards = read_monitoring(stack), readable(stack)
    return Names(
        phase=[label for label, _ in phases.lengths],
        fault=[plan.name for phase in placed for plan in phase.faults],
        alert=[rule.name for rule in monitoring.alerts],
        feature=stack.payload.features,
        receiver=monitoring.receivers,
        role=list(stack.roles),
        edge=stack.all_edges,
        kind=catalogue.kinds,
        panel=[panel.title for board in dashboards for panel in board.panels],
        dashboard=[board.name for board in dashboards],
    )


def _rooms(phases: _Phases, placed: Sequence[PlacedFaults]) -> Rooms:
    """Return how long a bound may be, and why, by (place, from where it counts); nothing where a length is wrong."""
    room: Rooms = {}
    for label, length_s in phases.lengths:
        if length_s is not None:
            for side in ("begin", "end"):
                room[f"phase {label}", side] = (length_s, f"the length of phase `{label}`")
    if phases.total_s is not None:
        room |= rooms(placed)
    return room


@dataclass(frozen=True, kw_only=True)
class _Check:
    """What the parts of a scenario are checked against; each method returns or yields mistakes."""

    page: Page
    stack: Stack
    catalogue: Catalogue
    names: Names

    @property
    def _folder(self) -> Path:
        return Path(self.page.file).parent

    @property
    def _traffic(self) -> Mapping[str, object]:
        return mapping(self.page.content.get("traffic"))

    def answers(self) -> Iterator[Mistake]:
        """Check the kinds of requests that stack.yaml's `payload.answers` names."""
        file = str(self.stack.folder / "stack.yaml")
        for kind in self.stack.payload.answers:
            if kind not in self.names.kind:
                yield unknown_name(file, "kind", kind, self.names.kind, where="payload.answers")

    def users(self) -> list[Mistake]:
        """Check `traffic.users`: a name, or a class in a file."""
        mistakes: list[Mistake] = []
        if "users" in self._traffic:
            users = self._traffic["users"]
            if locust_user_file.split(str(users), self._folder) is not None:
                return locust_user_file.mistakes(self.page, str(users), self._folder)
            known = dict.fromkeys(self.catalogue.users, True)
            self.page.known(("traffic", "users"), "user", users, known, mistakes, where="users")
        return mistakes

    def phases_named_twice(self, phases: _Phases) -> Iterator[Mistake]:
        """Check that no two phases have one name."""
        labels = [label for label, _ in phases.lengths]
        for index, label in enumerate(labels):
            if label in labels[:index]:
                yield self.page.mistake(("timeline", index), "phase", label, "a name used once")

    def arrivals(self, phases: _Phases) -> list[Mistake]:
        """Check the pacers of the scenario and of its phases."""
        mistakes = self._pacer(("traffic",), self._traffic, phases.total_s)
        for index, (phase, (_, length_s)) in enumerate(zip(phases.written, phases.lengths, strict=True)):
            mistakes += self._pacer(("timeline", index, "traffic"), mapping(phase.get("traffic")), length_s)
        return mistakes

    def _pacer(self, path: Where, traffic: Mapping[str, object], length_s: float | None) -> list[Mistake]:
        """Check one pacer: its name, its arguments, and that they fit here."""
        mistakes: list[Mistake] = []
        arrivals = traffic.get("arrivals")
        if not isinstance(arrivals, str) and len(mapping(arrivals)) != 1:
            return mistakes  # not there, or a mistake of another kind, which the scenario's own model names
        name, content = pacer_of(arrivals if isinstance(arrivals, str) else mapping(arrivals))
        where = (*path, "arrivals")
        pacer = self.page.known(where, "pacer", name, self.catalogue.pacers, mistakes, where="arrivals")
        if pacer is None:
            return mistakes
        inside = where if isinstance(arrivals, str) else (*where, name)
        args = pieces(self.page, inside, pacer.args, content, mistakes)
        if args is None or length_s is None:
            return mistakes
        rate = traffic.get("rate_per_s", 100.0)
        setting = {
            "rate_per_s": float(rate) if isinstance(rate, int | float) else 100.0,
            "length_s": length_s,
            "folders": (self._folder, self.stack.folder),
        }
        for key, value, expected in pacer.wrong(args, **setting):
            mistakes.append(self.page.mistake((*where, name, key), key, value, expected))
        return mistakes

    def aborts(self, scenario: Scenario) -> Iterator[Mistake]:
        """Check the conditions that end a drill: each is PromQL, and there is a Prometheus to ask."""
        for index, abort in enumerate(scenario.abort):
            where = ("abort", index, "when")
            if self.stack.prometheus is None:
                expected = "no condition: this stack has no Prometheus to ask"
                yield self.page.mistake(where, "when", abort.when, expected)
            try:
                parse(abort.when)
            except NotPromql as error:
                yield self.page.mistake(where, "when", abort.when, "a PromQL expression", error.message)

    def payload(self, path: Where, payload: object) -> list[Mistake]:
        """Check the payload of a phase: its kind, its arguments, and that they fit the stack's requests."""
        mistakes: list[Mistake] = []
        content = mapping(payload)
        if not content:
            return mistakes
        kind = next((key for key in self.catalogue.payloads if key in content), None)
        if kind is None:
            self.page.known(path, "payload", next(iter(content)), self.catalogue.payloads, mistakes)
            return mistakes
        args = pieces(self.page, path, self.catalogue.payloads[kind], content, mistakes)
        if args is None:
            return mistakes
        if isinstance(args, ShapeBound):
            for name, expected in args.unfit(self.stack.payload):
                mistakes.append(self.page.mistake((*path, name), name, str(content.get(name, "nothing")), expected))
        return mistakes + references(self.page, path, args, self.names)

    def feedback_of_closed_users(self, index: int, phase: Mapping[str, object]) -> Iterator[Mistake]:
        """Check that closed users send no delayed truth: nobody knows beforehand when they send."""
        if "feedback" not in mapping(phase.get("payload")):
            return
        traffic = {**self._traffic, **mapping(phase.get("traffic"))}
        arrivals = traffic.get("arrivals")
        if arrivals == "closed" or "closed" in mapping(arrivals):
            where = ("timeline", index, "payload", "feedback")
            expected = "an open loop: when closed users send is not known before"
            yield self.page.mistake(where, "feedback", "closed users", expected)

    def expectation(self, line: Expectation, room: Rooms) -> list[Mistake]:
        """Check a line of `expect`: the names among its arguments, and that the drill can hold its bound."""
        indexes = range(len(items(self.page.content["expect"])))
        index = next(index for index in indexes if self.page.line(("expect", index)) == line.line)
        path: Where = ("expect", index, line.check)
        if line.parsed is None:
            model = self.catalogue.checks.get(line.check)
            return raw_references(self.page, path, model, line.args, self.names) if model else []
        mistakes = references(self.page, path, line.parsed, self.names)
        if isinstance(line.parsed, Bounded):
            mistakes += self._bound((*path, "within"), line.parsed, room)
        return mistakes

    def _bound(self, path: Where, args: Bounded, room: Rooms) -> Iterator[Mistake]:
        place = f"fault {args.during}" if args.during else f"phase {args.phase}"
        room_s, reason = room.get((place, args.counts_from), (args.within, ""))
        if args.within > room_s:
            expected = f"at most {format_duration(room_s)}, {reason}"
            yield self.page.mistake(path, "within", format_duration(args.within), expected)
