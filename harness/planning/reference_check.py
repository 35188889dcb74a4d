"""Resolve what a scenario names: phases, faults, alerts, features, payloads, roles, and bounds that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.declarations.references import Bounded
from tocsin.harness.declarations.scenario import Catalogue, Expectation, Scenario, pacer_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.dashboards import readable
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.expression import NotCompressible, parse
from tocsin.harness.planning import locust_user_file
from tocsin.harness.planning.diagnostics import Names, Page, pieces, raw_references, references
from tocsin.harness.planning.fault_schedule import (
    Placed,
    Rooms,
    Where,
    Written,
    misplaced,
    placements,
    reach_of,
    rooms,
    unguarded,
)


def unresolved(
    page: Page,
    stack: Stack,
    catalogue: Catalogue,
    faults: list[list[Written]],
    expect: list[Expectation],
    scenario: Scenario | None = None,
    seed: int | None = None,
) -> list[Mistake]:
    """Return what does not resolve: phases, faults, alerts, features, payloads, roles, and bounds that cannot hold.

    `scenario` is the file without faults and expectations, None where it has mistakes of its own.
    """
    try:
        monitoring = read_monitoring(stack)
    except UsageError as error:
        return list(error.mistakes)
    phases = [phase if isinstance(phase, dict) else {} for phase in (page.content.get("timeline") or [])]
    labels = [str(phase.get("phase", "")) for phase in phases]
    lengths = {
        label: length_s for label, phase in zip(labels, phases, strict=True) if (length_s := _length(phase)) is not None
    }
    reach, budget = reach_of(catalogue, stack), (scenario.budget if scenario else None) or stack.budget
    asked = seed if seed is not None else (scenario.seed if scenario else 0)
    placed = placements(faults, [(label, lengths.get(label, 0.0)) for label in labels], reach, asked, budget)
    dashboards = readable(stack)
    names = Names(
        phase=labels,
        fault=[plan.name for phase in placed for plan, _ in phase.faults],
        alert=[rule.name for rule in monitoring.alerts],
        feature=list(stack.payload.features),
        receiver=list(monitoring.receivers),
        role=list(stack.roles),
        edge=list(stack.all_edges),
        kind=list(catalogue.kinds),
        panel=[panel.title for board in dashboards for panel in board.panels],
        dashboard=[board.name for board in dashboards],
    )
    traffic, folder = page.content.get("traffic"), Path(page.file).parent
    mistakes: list[Mistake] = _answers(stack, names)
    if isinstance(traffic, dict) and "users" in traffic:
        if locust_user_file.split(str(traffic["users"]), folder) is not None:
            mistakes += locust_user_file.mistakes(page, str(traffic["users"]), folder)
        else:
            page.known(("traffic", "users"), "users", traffic["users"], dict.fromkeys(catalogue.users, True), mistakes)
    twice = [index for index, label in enumerate(labels) if label in labels[:index]]
    mistakes += [page.mistake(("timeline", index), "phase", labels[index], "a name used once") for index in twice]
    folders = (folder, stack.folder)
    whole_s = sum(lengths.values()) if set(lengths) == set(labels) else None
    mistakes += _arrivals(page, ("traffic",), traffic, whole_s, catalogue, folders)
    for index, (label, phase) in enumerate(zip(labels, phases, strict=True)):
        place = ("timeline", index, "traffic")
        mistakes += _arrivals(page, place, phase.get("traffic"), lengths.get(label), catalogue, folders)
    rooms_s = _rooms(labels, lengths, placed)
    known = {index: lengths[label] for index, label in enumerate(labels) if label in lengths}
    mistakes += misplaced(page, faults, known, labels, names)
    mistakes += unguarded(page, placed, reach, budget) if len(known) == len(labels) else []
    mistakes += _aborts(page, stack, scenario)
    for index, phase in enumerate(phases):
        mistakes += _payload(page, ("timeline", index, "payload"), phase.get("payload"), catalogue, names, stack)
        mistakes += _told_truth(page, index, phase, traffic)
    for expectation in expect:
        mistakes += _expectation(page, expectation, rooms_s, names, catalogue)
    return mistakes


def _told_truth(page: Page, index: int, phase: Mapping[str, Any], traffic: object) -> list[Mistake]:
    """Return a mistake if closed users are to send delayed truth: nobody knows before when they ask."""
    asked = [
        part["arrivals"] for part in (phase.get("traffic"), traffic) if isinstance(part, dict) and "arrivals" in part
    ]
    closed = bool(asked) and (asked[0] == "closed" or isinstance(asked[0], dict) and "closed" in asked[0])
    payload = phase.get("payload")
    if not closed or not isinstance(payload, dict) or "feedback" not in payload:
        return []
    where = ("timeline", index, "payload", "feedback")
    return [page.mistake(where, "feedback", "closed users", "an open loop: when closed users ask is not known before")]


def _length(phase: Mapping[str, Any]) -> float | None:
    try:
        return parse_duration(phase["for"])
    except (KeyError, ValueError):
        return None


def _arrivals(
    page: Page, path: Where, traffic: object, length_s: float | None, catalogue: Catalogue, folders: tuple[Path, ...]
) -> list[Mistake]:
    """Return what is wrong with the pacer of `traffic`: its name, its arguments, or that they do not fit here."""
    mistakes: list[Mistake] = []
    arrivals = traffic.get("arrivals") if isinstance(traffic, dict) else None
    if not isinstance(arrivals, str) and not (isinstance(arrivals, dict) and len(arrivals) == 1):
        return mistakes  # not there, or a mistake of another kind, which the scenario's own model names
    name, content = pacer_of(arrivals)
    where = (*path, "arrivals")
    pacer = page.known(where, "arrivals", name, catalogue.pacers, mistakes)
    inside = where if isinstance(arrivals, str) else (*where, name)
    args = pieces(page, inside, pacer.args, content, mistakes) if pacer else None
    if args is None or length_s is None:
        return mistakes
    rate = traffic.get("rate_per_s", 100.0) if isinstance(traffic, dict) else 100.0
    rate_per_s = float(rate) if isinstance(rate, int | float) else 100.0
    for key, value, expected in pacer.wrong(args, rate_per_s=rate_per_s, length_s=length_s, folders=folders):
        mistakes.append(page.mistake((*where, name, key), key, value, expected))
    return mistakes


def _answers(stack: Stack, names: Names) -> list[Mistake]:
    """Return a mistake for each kind that stack.yaml's `payload.answers` names and nobody knows."""
    file, known = str(stack.folder / "stack.yaml"), ", ".join(sorted(names.kind))
    return [
        Mistake(file=file, line=0, where="payload.answers", value=kind, expected=f"one of: {known}")
        for kind in stack.payload.answers
        if kind not in names.kind
    ]


def _payload(
    page: Page, path: Where, payload: object, catalogue: Catalogue, names: Names, stack: Stack
) -> list[Mistake]:
    mistakes: list[Mistake] = []
    if not isinstance(payload, dict) or not payload:
        return mistakes
    kind = next((key for key in catalogue.payloads if key in payload), None)
    if kind is None:
        page.known(path, "payload", next(iter(payload)), catalogue.payloads, mistakes)
        return mistakes
    args = pieces(page, path, catalogue.payloads[kind], payload, mistakes)
    if args is None:
        return mistakes
    for name, expected in args.unfit(stack.payload) if hasattr(args, "unfit") else ():
        mistakes.append(page.mistake((*path, name), name, str(payload.get(name, "nothing")), expected))
    return mistakes + references(page, path, args, names)


def _aborts(page: Page, stack: Stack, scenario: Scenario | None) -> list[Mistake]:
    """Return what is wrong with the conditions that end a drill: no PromQL, or nobody to ask."""
    mistakes = []
    for index, abort in enumerate(scenario.abort if scenario else ()):
        where = ("abort", index, "when")
        if stack.prometheus is None:
            expected = "no condition: this stack has no Prometheus to ask"
            mistakes.append(page.mistake(where, "when", abort.when, expected))
        try:
            parse(abort.when)
        except NotCompressible as error:
            mistakes.append(page.mistake(where, "when", abort.when, "a PromQL expression", error.message))
    return mistakes


def _rooms(labels: list[str], lengths: Mapping[str, float], placed: list[Placed]) -> Rooms:
    """Return how long a bound may be, and why, by (place, from where it counts); nothing where a length is wrong."""
    found = {
        (f"phase {label}", side): (length_s, f"the length of phase `{label}`")
        for label, length_s in lengths.items()
        for side in ("begin", "end")
    }
    return found | rooms(placed) if set(labels) == set(lengths) else found


def _expectation(
    page: Page,
    expectation: Expectation,
    rooms: Rooms,
    names: Names,
    catalogue: Catalogue,
) -> list[Mistake]:
    entries = page.content["expect"]
    path: Where = next(
        ("expect", index, expectation.check)
        for index in range(len(entries))
        if page.line(("expect", index)) == expectation.line
    )
    args = expectation.parsed
    if args is None:
        model = catalogue.checks.get(expectation.check)
        return raw_references(page, path, model, expectation.args, names) if model else []
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
