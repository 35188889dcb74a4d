"""Guardrails: how much a drill may break at once and for how long, what it may break elsewhere, when it must stop.

Values and pure rules. A fault here is no more than what it reaches and when; production seconds throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds
from tocsin.harness.core.clock import format_duration

MACHINE = "the machine"
"""The target of a fault that names neither role, edge nor hook."""


class Budget(Frozen):
    """At most so many `targets` (roles, edges) broken at the same time, none of them longer than `for`."""

    targets: int = Field(ge=1)
    lasts: Seconds = Field(alias="for", gt=0)


class Allowed(Frozen):
    """What a stack that is not ours permits of one role: these kinds of faults."""

    role: str
    faults: tuple[str, ...] = Field(min_length=1)


class Abort(Frozen):
    """A condition that ends a drill: a PromQL expression with a result (a number: other than 0) for so long."""

    when: str = Field(min_length=1)
    lasts: Seconds = Field(default=0.0, alias="for", ge=0)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a fault touches.

    `targets` are roles and edges (`caller -> role`), `roles` those of them that are roles. `restarts`: it ends the
    process of its roles. `separate`: two of its kind with other parameters leave each other alone. `harmless`: it
    breaks nothing that anybody depends on.
    """

    targets: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    restarts: bool = False
    separate: bool = False
    harmless: bool = False


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A fault with its place in time; `where` it stands in the scenario file."""

    name: str
    kind: str
    params: Any
    reach: Reach
    start_s: float
    end_s: float
    where: tuple[str | int, ...] = field(default=())

    @property
    def targets(self) -> tuple[str, ...]:
        """What it breaks; the machine if it names nothing."""
        return self.reach.targets or (MACHINE,)

    def meets(self, other: Broken) -> bool:
        """Tell whether both are there at the same time; one that begins when the other ends is not."""
        return self.start_s < other.end_s and other.start_s < self.end_s


def clashes(one: Broken, other: Broken) -> bool:
    """Tell whether healing one of two faults would end the other unseen, so that they may not be there at once.

    Two on the same edge share its proxy. Two of a kind on the same target share its switch, unless they are
    `separate`. And a process that is ended takes with it whatever else is wrong with its role.
    """
    if not one.meets(other):
        return False
    shared = set(one.targets) & set(other.targets)
    if any("->" in target for target in shared):
        return True
    if one.kind == other.kind and shared and not (one.reach.separate and one.params != other.params):
        return True
    ends = one.reach.restarts or other.reach.restarts
    return ends and bool(set(one.reach.roles) & set(other.reach.roles))


def most_targets(broken: Sequence[Broken], during: Broken) -> tuple[int, float]:
    """Return how many targets are broken at once at most while `during` is there, it included, and from when on."""
    moments = [during.start_s, *(one.start_s for one in broken if during.start_s < one.start_s < during.end_s)]
    counts = []
    for moment in sorted(moments):
        there = [one for one in (*broken, during) if one.start_s <= moment < one.end_s]
        counts.append((len({target for one in there for target in one.targets}), -moment))
    most, negative = max(counts)
    return most, -negative


def over_budget(broken: Iterable[Broken], budget: Budget) -> Iterator[tuple[Broken, str, str]]:
    """Yield each fault that is over the budget: (fault, what it is, what is allowed), in words."""
    known: list[Broken] = []
    for one in sorted(broken, key=lambda each: each.start_s):
        lasts_s = one.end_s - one.start_s
        if lasts_s > budget.lasts + 1e-9:
            yield one, f"`{one.name}` for {format_duration(lasts_s)}", f"at most {format_duration(budget.lasts)}"
        count, since_s = most_targets(known, one)
        if count > budget.targets:
            value = f"{count} targets broken at once, {format_duration(since_s)} into the drill, with `{one.name}`"
            yield one, value, f"at most {budget.targets}"
        known.append(one)


def forbidden(
    broken: Iterable[Broken], allowed: Sequence[str | Allowed], *, owns_stack: bool, asked: bool
) -> tuple[tuple[Broken, str], ...]:
    """Return each fault that may not be played with a sentence why, none when all may.

    On a stack that the engine itself brings up and takes down everything may be broken. Elsewhere a fault must be
    harmless, or stand in stack.yaml's `allow_faults` and be `asked` for on the command line, both.
    """
    if owns_stack:
        return ()
    found = []
    for one in broken:
        if one.reach.harmless:
            continue
        lacks = [] if _listed(one, allowed) else [f"stack.yaml's allow_faults does not list {_asked_for(one)}"]
        lacks += [] if asked else ["--allow-faults was not given"]
        if lacks:
            told = f"Fault {one.name} breaks a stack that is not ours, and {' and '.join(lacks)}."
            found.append((one, told))
    return tuple(found)


def _asked_for(one: Broken) -> str:
    return f"{one.kind} (for {', '.join(one.targets)})"


def _listed(one: Broken, allowed: Sequence[str | Allowed]) -> bool:
    """A kind by itself is allowed everywhere; one of a role only where the fault reaches nothing but such roles."""
    if one.kind in allowed:
        return True
    roles = {entry.role for entry in allowed if isinstance(entry, Allowed) and one.kind in entry.faults}
    return bool(one.reach.targets) and all(_role_of(target) in roles for target in one.reach.targets)


def _role_of(target: str) -> str:
    """Return the role that a target belongs to: of an edge, the one that is called."""
    return target.rpartition("->")[2].strip()
