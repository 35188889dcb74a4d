"""The faults of a scenario: read from its phases, drawn where they are `random`, and placed; with every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import Mistake
from tocsin.harness.core.untyped_data import items, mapping
from tocsin.harness.declarations.fault_contract import Fault
from tocsin.harness.declarations.guardrails import ActiveFault, Budget, clashes, over_budget
from tocsin.harness.declarations.scenario import Draws, FaultPlan
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.argument_references import Names, raw_references
from tocsin.harness.planning.diagnostics import Page, Where, pieces
from tocsin.harness.planning.random_faults import RANDOM, FaultPhase, drawn

Named = tuple[Where, type[BaseModel], Mapping[str, object]]
"""Parameters as written, and their model."""
_PLACE = ("at", "for", "name")


@dataclass(frozen=True, kw_only=True)
class WrittenFault:
    """A fault as it stands in the file at `where`. `plan` is None where something is wrong with it.

    `named` holds what it names, wrong or not.
    """

    where: Where
    plan: FaultPlan | None
    named: tuple[Named, ...] = ()


def read_faults(
    page: Page, index: int, phase: object, kinds: Mapping[str, type[Fault]], mistakes: list[Mistake]
) -> list[WrittenFault]:
    """Return the faults of one phase as written; their parameters are validated here and nowhere else."""
    listed = mapping(phase).get("faults") or []
    place: Where = ("timeline", index, "faults")
    if not isinstance(listed, list):
        mistakes.append(page.mistake(place, "faults", repr(listed), "a list of faults"))
        return []
    reader = _Reader(page=page, kinds=kinds, mistakes=mistakes)
    faults = [reader.fault((*place, number), entry) for number, entry in enumerate(listed)]
    return [fault for fault in faults if fault is not None]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads the faults of a scenario file; `kinds` are those that it may name."""

    page: Page
    kinds: Mapping[str, type[Fault]]
    mistakes: list[Mistake]

    def fault(self, where: Where, entry: object) -> WrittenFault | None:
        """Return one fault; None if nobody can tell its kind."""
        kind = self._kind(where, entry, beside=_PLACE)
        if kind is None:
            return None
        fields = mapping(entry)
        params = fields[kind] or {}
        parsed: Fault | Draws | None
        if kind == RANDOM:
            parsed, named = self._draws((*where, RANDOM), params)
        else:
            parsed, named = self._parameters(where, kind, params, {**self.kinds, RANDOM: None})
        place = {key: fields[key] for key in _PLACE if key in fields}
        written = {"kind": kind, "params": {}, "name": kind, **place}
        if parsed is not None:
            written["params"] = params
        plan = pieces(self.page, where, FaultPlan, written, self.mistakes)
        if plan is None or parsed is None:
            return WrittenFault(where=where, plan=None, named=tuple(named))
        return WrittenFault(where=where, plan=plan.with_parsed(parsed), named=tuple(named))

    def _draws(self, where: Where, content: object) -> tuple[Draws | None, list[Named]]:
        draws = pieces(self.page, where, Draws, content, self.mistakes)
        faults: list[Fault] = []
        named: list[Named] = []
        for number, choice in enumerate(items(mapping(content).get("from"))):
            place = (*where, "from", number)
            kind = self._kind(place, choice, beside=())
            if kind is None:
                continue
            fault, names = self._parameters(place, kind, mapping(choice)[kind] or {}, self.kinds)
            named += names
            if fault is not None:
                faults.append(fault)
        if draws is None or len(faults) < len(draws.choices):
            return None, named
        return draws.with_faults(faults), named

    def _parameters(
        self, where: Where, kind: str, content: object, kinds: Mapping[str, type[Fault] | None]
    ) -> tuple[Fault | None, list[Named]]:
        fault = self.page.known(where, "fault", kind, kinds, self.mistakes)
        if fault is None:
            return None, []
        place = (*where, kind)
        params = pieces(self.page, place, fault.params_model, content, self.mistakes)
        if params is not None:
            return fault(params), [(place, fault.params_model, mapping(content))]
        return None, [(place, fault.params_model, mapping(content))]

    def _kind(self, where: Where, entry: object, beside: Sequence[str]) -> str | None:
        """Return the one key of a fault that is not its place; None and a mistake if there is not exactly one."""
        kinds = [str(key) for key in mapping(entry) if key not in beside]
        if len(kinds) == 1:
            return kinds[0]
        expected = "exactly one fault"
        if beside:
            expected = f"{expected} beside {', '.join(beside)}"
        self.mistakes.append(self.page.mistake(where, "fault", ", ".join(kinds) or "nothing", expected))
        return None


def placements(
    written: Sequence[Sequence[WrittenFault]],
    lengths: Sequence[tuple[str, float]],
    stack: Stack,
    seed: int,
    budget: Budget | None,
) -> list[FaultPhase]:
    """Return phase by phase what will be broken; `lengths` are the names and lengths of all phases."""
    phases, start_s = [], 0.0
    for (name, length_s), faults in zip(lengths, written, strict=True):
        good = [(fault.plan, fault.where) for fault in faults if fault.plan is not None]
        phase = FaultPhase(name=name, length_s=length_s, faults=[plan for plan, _ in good])
        plans = drawn(phase, stack, seed, budget)
        places = [good[source][1] for _, source in plans]
        phases.append(replace(phase, start_s=start_s, faults=[plan for plan, _ in plans], places=places))
        start_s += length_s
    return phases


def misplaced(
    page: Page, written: Sequence[Sequence[WrittenFault]], phases: Sequence[tuple[str, float | None]], names: Names
) -> Iterator[Mistake]:
    """Yield what is wrong with faults one by one: names of nothing, a place outside of the phase, a name used twice.

    `phases` are the names and lengths of all phases; None for a length that is wrong itself.
    """
    taken = [fault.plan.name for faults in written for fault in faults if fault.plan is not None]
    for (label, length_s), faults in zip(phases, written, strict=True):
        for fault in faults:
            for where, model, params in fault.named:
                yield from raw_references(page, where, model, params, names)
            if fault.plan is None:
                continue
            if length_s is not None:
                phase = FaultPhase(name=label, length_s=length_s, faults=())
                yield from _outside(page, fault.where, fault.plan, phase)
            if taken.count(fault.plan.name) > 1:
                yield page.mistake(fault.where, "name", fault.plan.name, "a name no other fault has", "Add `name:`.")


def _outside(page: Page, where: Where, plan: FaultPlan, phase: FaultPhase) -> Iterator[Mistake]:
    until_s = plan.at + (plan.lasts or 0.0)
    if until_s > phase.length_s or plan.at >= phase.length_s:
        value, room = f"until {format_duration(until_s)}", format_duration(phase.length_s)
        yield page.mistake(where, "fault", value, f"inside phase `{phase.name}` of {room}")
    elif plan.draws is not None:
        room_s = phase.window_s(plan)
        for name, value_s in (("every", plan.draws.every), ("for", plan.draws.lasts)):
            if value_s > room_s:
                expected = f"at most {format_duration(room_s)}, the time in which it draws"
                yield page.mistake((*where, RANDOM, name), name, format_duration(value_s), expected)


def unguarded(page: Page, phases: Sequence[FaultPhase], stack: Stack, budget: Budget | None) -> Iterator[Mistake]:
    """Yield the faults whose heal would end another one unseen, and those that are over the budget."""
    for phase in phases:
        where = {plan.name: place for plan, place in zip(phase.faults, phase.places, strict=True)}
        faults = sorted((phase.active(plan, stack) for plan in phase.faults), key=lambda fault: fault.start_s)
        for number, fault in enumerate(faults):
            for earlier in faults[:number]:
                if clashes(earlier, fault):
                    value = f"`{fault.name}` ({fault.kind}) while `{earlier.name}` ({earlier.kind}) breaks "
                    expected = "faults that do not end each other: one after the other, or elsewhere"
                    yield page.mistake(where[fault.name], "fault", value + _shared(fault, earlier), expected)
        if budget is not None:
            for fault, value, expected in over_budget(faults, budget):
                hint = "Break less at once, or raise `budget`."
                yield page.mistake(where[fault.name], "budget", value, expected, hint)


def _shared(fault: ActiveFault, other: ActiveFault) -> str:
    return ", ".join(target for target in fault.targets if target in other.targets)
