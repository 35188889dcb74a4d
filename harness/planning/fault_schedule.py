"""The faults of a scenario: read from its phases, drawn where they are `random`, and placed; with every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.errors import Mistake
from tocsin.harness.declarations.guardrails import Broken, Budget, Reach, clashes, over_budget
from tocsin.harness.declarations.scenario import Catalogue, FaultPlan, Phase
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.planning.diagnostics import Names, Page, pieces, raw_references
from tocsin.harness.planning.random_faults import RANDOM, Draws, ReachOf, broken, drawn, window_s

Where = tuple[str | int, ...]
Rooms = dict[tuple[str, str], tuple[float, str]]
_PLACE = ("at", "for", "name")


@dataclass(frozen=True, kw_only=True)
class Written:
    """A fault as it stands in the file at `where`. `plan` is None where something is wrong with it.

    `named` holds what it names, wrong or not: (where, model of the parameters, parameters as written).
    """

    where: Where
    plan: FaultPlan | None
    named: tuple[tuple[Where, type[BaseModel], Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Placed:
    """The faults of one phase, drawn ones included, each with its place in the file; production seconds."""

    phase: str
    start_s: float
    length_s: float
    faults: tuple[tuple[FaultPlan, Where], ...]


def read_faults(
    page: Page, index: int, phase: Any, kinds: Mapping[str, type[BaseModel]], mistakes: list[Mistake]
) -> list[Written]:
    """Return the faults of one phase as written; `kinds`: kind -> model of its parameters."""
    listed = phase.get("faults") or [] if isinstance(phase, dict) else []
    place: Where = ("timeline", index, "faults")
    if not isinstance(listed, list):
        mistakes.append(page.mistake(place, "faults", repr(listed), "a list of faults"))
        return []
    return [
        written
        for number, entry in enumerate(listed)
        if (written := _read(page, (*place, number), entry, kinds, mistakes)) is not None
    ]


def _read(
    page: Page, path: Where, entry: Any, kinds: Mapping[str, type[BaseModel]], mistakes: list[Mistake]
) -> Written | None:
    kind = _kind(page, path, entry, mistakes)
    if kind is None:
        return None
    choices: list[tuple[Where, Any]] = [(path, {kind: entry[kind]})]
    right = True
    if kind == RANDOM:
        draws = pieces(page, (*path, RANDOM), Draws, entry[RANDOM] or {}, mistakes)
        listed = entry[RANDOM].get("from") if isinstance(entry[RANDOM], dict) else None
        choices = [((*path, RANDOM, "from", place), one) for place, one in enumerate(listed or ())]
        right = draws is not None
    named = []
    for place, choice in choices:
        one = kind if kind != RANDOM else _kind(page, place, choice, mistakes, beside=())
        known = {**kinds, RANDOM: Draws} if place == path else kinds
        model = page.known(place, "fault", one, known, mistakes) if one is not None else None
        params = (choice[one] or {}) if model is not None else {}
        if model is None or pieces(page, (*place, str(one)), model, params, mistakes) is None:
            right = False
        if model is not None and isinstance(params, dict):
            named.append(((*place, str(one)), model, params))
    where = {key: entry[key] for key in _PLACE if key in entry}
    content = {"kind": kind, "params": entry[kind] or {}, "name": kind, **where} if right else {"kind": kind, **where}
    plan = pieces(page, path, FaultPlan, {"params": {}, "name": kind, **content}, mistakes)
    return Written(where=path, plan=plan if right else None, named=tuple(named))


def _kind(page: Page, path: Where, entry: Any, mistakes: list[Mistake], beside: Sequence[str] = _PLACE) -> str | None:
    """Return the one key of a fault that is not its place; None and a mistake if there is not exactly one."""
    kinds = [key for key in entry if key not in beside] if isinstance(entry, dict) else []
    if len(kinds) == 1:
        return str(kinds[0])
    expected = "exactly one fault" + (f" beside {', '.join(beside)}" if beside else "")
    mistakes.append(page.mistake(path, "fault", ", ".join(map(str, kinds)) or "nothing", expected))
    return None


def reach_of(catalogue: Catalogue, stack: Stack) -> ReachOf:
    """Return a function (kind, params) -> what such a fault reaches on this stack; nothing where nobody can tell."""

    def found(kind: str, params: Mapping[str, Any]) -> Reach:
        try:
            return Reach() if kind not in catalogue.reach else catalogue.reach[kind](params, stack)
        except ValidationError:  # it is told elsewhere
            return Reach()

    return found


def placements(
    written: Sequence[Sequence[Written]],
    lengths: Sequence[tuple[str, float]],
    reach: ReachOf,
    seed: int,
    budget: Budget | None,
) -> list[Placed]:
    """Return phase by phase what will be broken; `lengths` are the names and lengths of all phases."""
    found, start_s = [], 0.0
    for (name, length_s), mine in zip(lengths, written, strict=True):
        right = [(one.plan, one.where) for one in mine if one.plan is not None]
        phase = Phase.model_construct(phase=name, lasts=length_s, faults=tuple(plan for plan, _ in right))
        faults = tuple((plan, right[source][1]) for plan, source in drawn(phase, seed, reach, budget))
        found.append(Placed(phase=name, start_s=start_s, length_s=length_s, faults=faults))
        start_s += length_s
    return found


def misplaced(page: Page, written: Sequence[Sequence[Written]], lengths: Mapping[int, float], labels: Sequence[str],
              names: Names) -> Iterator[Mistake]:  # fmt: skip
    """Yield what is wrong with faults one by one: names of nothing, a place outside of the phase, a name used twice."""
    every = [one.plan.name for mine in written for one in mine if one.plan is not None]
    for index, mine in enumerate(written):
        for one in mine:
            for where, model, params in one.named:
                yield from raw_references(page, where, model, params, names)
            if one.plan is None:
                continue
            if index in lengths:
                yield from _outside(page, one.where, one.plan, labels[index], lengths[index])
            if every.count(one.plan.name) > 1:
                yield page.mistake(one.where, "name", one.plan.name, "a name no other fault has", "Add `name:`.")


def _outside(page: Page, where: Where, plan: FaultPlan, phase: str, length_s: float) -> Iterator[Mistake]:
    until_s = plan.at + (plan.lasts or 0.0)
    if until_s > length_s or plan.at >= length_s:
        value, room = f"until {format_duration(until_s)}", format_duration(length_s)
        yield page.mistake(where, "fault", value, f"inside phase `{phase}` of {room}")
    elif plan.kind == RANDOM:
        draws, room_s = Draws.model_validate(plan.params), window_s(plan, length_s)
        for name, value_s in (("every", draws.every), ("for", draws.lasts)):
            if value_s > room_s:
                expected = f"at most {format_duration(room_s)}, the time in which it draws"
                yield page.mistake((*where, RANDOM, name), name, format_duration(value_s), expected)


def unguarded(page: Page, placed: Sequence[Placed], reach: ReachOf, budget: Budget | None) -> Iterator[Mistake]:
    """Yield the faults whose heal would end another one unseen, and those that are over the budget."""
    for phase in placed:
        known: list[Broken] = []
        where = {plan.name: path for plan, path in phase.faults}
        every = [broken(plan, phase.length_s, reach, phase.start_s) for plan, _ in phase.faults]
        for one in sorted(every, key=lambda each: each.start_s):
            for other in known:
                if clashes(other, one):
                    told = f"`{one.name}` ({one.kind}) while `{other.name}` ({other.kind}) breaks {_shared(one, other)}"
                    expected = "faults that do not end each other: one after the other, or elsewhere"
                    yield page.mistake(where[one.name], "fault", told, expected)
            known.append(one)
        for one, value, expected in over_budget(every, budget) if budget is not None else ():
            yield page.mistake(where[one.name], "budget", value, expected, "Break less at once, or raise `budget`.")


def _shared(one: Broken, other: Broken) -> str:
    return ", ".join(target for target in one.targets if target in other.targets)


def rooms(placed: Sequence[Placed]) -> Rooms:
    """Return how long a bound that counts from a fault may be, and why, by (fault, from which of its ends)."""
    total_s, found = sum(phase.length_s for phase in placed), {}
    for phase in placed:
        for plan, _ in phase.faults:
            begin_s = phase.start_s + plan.at
            end_s = begin_s + plan.lasts if plan.lasts else phase.start_s + phase.length_s
            for side, moment_s in (("begin", begin_s), ("end", end_s)):
                told = f"what is left of the drill when `{plan.name}` {side}s"
                found[f"fault {plan.name}", side] = (total_s - moment_s, told)
    return found
