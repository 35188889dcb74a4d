"""Resolve what a scenario names: phases, faults, alerts, features, payloads, roles, and bounds that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.check import Bounded
from harness.clock import format_duration, parse_duration
from harness.errors import Mistake, UsageError
from harness.mistakes import Names, Page, pieces, references
from harness.rules.monitoring import read_monitoring
from harness.scenario import Catalogue, Expectation, FaultPlan
from harness.stack import Stack

Where = tuple[str | int, ...]
Rooms = dict[tuple[str, str], tuple[float, str]]


def unresolved(
    page: Page,
    stack: Stack,
    catalogue: Catalogue,
    faults: list[list[FaultPlan]],
    expect: list[tuple[Expectation, BaseModel]],
) -> list[Mistake]:
    """Return what does not resolve: phases, faults, alerts, features, payloads, roles, and bounds that cannot hold."""
    try:
        monitoring = read_monitoring(stack)
    except UsageError as error:
        return list(error.mistakes)
    phases = [phase if isinstance(phase, dict) else {} for phase in (page.content.get("timeline") or [])]
    labels = [str(phase.get("phase", "")) for phase in phases]
    names = Names(
        phase=labels,
        fault=[fault.name for mine in faults for fault in mine],
        alert=[rule.name for rule in monitoring.alerts],
        feature=list(stack.payload.features),
        receiver=list(monitoring.receivers),
        role=list(stack.roles),
        kind=list(catalogue.kinds),
    )
    traffic = page.content.get("traffic")
    mistakes: list[Mistake] = []
    if isinstance(traffic, dict) and "users" in traffic:
        page.known(("traffic", "users"), "users", traffic["users"], dict.fromkeys(catalogue.users, True), mistakes)
    twice = [index for index, label in enumerate(labels) if label in labels[:index]]
    mistakes += [page.mistake(("timeline", index), "phase", labels[index], "a name used once") for index in twice]
    lengths = {
        label: length_s for label, phase in zip(labels, phases, strict=True) if (length_s := _length(phase)) is not None
    }
    rooms = _rooms(labels, lengths, faults)
    for index, (label, phase) in enumerate(zip(labels, phases, strict=True)):
        mistakes += _payload(page, ("timeline", index, "payload"), phase.get("payload"), catalogue, names)
        for number, fault in enumerate(faults[index]):
            where = ("timeline", index, "faults", number)
            mistakes += _fault(page, where, fault, label, lengths.get(label), catalogue, names)
    for expectation, args in expect:
        mistakes += _expectation(page, expectation, args, rooms, names)
    return mistakes


def _length(phase: Mapping[str, Any]) -> float | None:
    try:
        return parse_duration(phase["for"])
    except (KeyError, ValueError):
        return None


def _payload(page: Page, path: Where, payload: object, catalogue: Catalogue, names: Names) -> list[Mistake]:
    mistakes: list[Mistake] = []
    if not isinstance(payload, dict) or not payload:
        return mistakes
    kind = next((key for key in payload if key in catalogue.payloads), None)
    if kind is None:
        page.known(path, "payload", next(iter(payload)), catalogue.payloads, mistakes)
        return mistakes
    args = pieces(page, path, catalogue.payloads[kind], payload, mistakes)
    return mistakes + (references(page, path, args, names) if args else [])


def _fault(
    page: Page, where: Where, fault: FaultPlan, phase: str, length_s: float | None, catalogue: Catalogue, names: Names
) -> list[Mistake]:
    params = catalogue.faults[fault.kind].model_validate(fault.params)
    mistakes = references(page, (*where, fault.kind), params, names)
    until_s = fault.at + (fault.lasts or 0.0)
    if length_s is not None and (until_s > length_s or fault.at >= length_s):
        room = format_duration(length_s)
        mistakes.append(
            page.mistake(where, "fault", f"until {format_duration(until_s)}", f"inside phase `{phase}` of {room}")
        )
    if names.fault.count(fault.name) > 1:
        mistakes.append(page.mistake(where, "name", fault.name, "a name no other fault has", "Add `name:`."))
    return mistakes


def _rooms(labels: list[str], lengths: Mapping[str, float], faults: list[list[FaultPlan]]) -> Rooms:
    """Return how long a bound may be, and why, by (place, from where it counts); nothing where a length is wrong."""
    rooms = {
        (f"phase {label}", side): (length_s, f"the length of phase `{label}`")
        for label, length_s in lengths.items()
        for side in ("begin", "end")
    }
    if set(labels) != set(lengths):
        return rooms
    total_s, start_s = sum(lengths[label] for label in labels), 0.0
    for label, placed in zip(labels, faults, strict=True):
        for fault in placed:
            begin_s = start_s + fault.at
            end_s = begin_s + fault.lasts if fault.lasts else start_s + lengths[label]
            rooms[f"fault {fault.name}", "begin"] = (
                total_s - begin_s,
                f"what is left of the drill when `{fault.name}` begins",
            )
            rooms[f"fault {fault.name}", "end"] = (
                total_s - end_s,
                f"what is left of the drill when `{fault.name}` ends",
            )
        start_s += lengths[label]
    return rooms


def _expectation(
    page: Page,
    expectation: Expectation,
    args: BaseModel,
    rooms: Rooms,
    names: Names,
) -> list[Mistake]:
    entries = page.content["expect"]
    path: Where = next(
        ("expect", index, expectation.check)
        for index in range(len(entries))
        if page.line(("expect", index)) == expectation.line
    )
    mistakes = references(page, path, args, names)
    if isinstance(args, Bounded):
        room_s, reason = rooms.get(
            (f"fault {args.during}" if args.during else f"phase {args.phase}", args.counts_from), (args.within, "")
        )
        if args.within > room_s:
            mistakes.append(
                page.mistake(
                    (*path, "within"),
                    "within",
                    format_duration(args.within),
                    f"at most {format_duration(room_s)}, {reason}",
                )
            )
    return mistakes
