"""Guardrails: how much a drill may break at once and for how long, what it may break elsewhere, when it must stop.

Values and pure rules. A fault here is no more than what it reaches and when; production seconds throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
class ActiveFault:
    """A fault while it is active: what it breaks, and from when to when.

    `targets` are roles and edges (`caller -> role`), `roles` those of them that are roles. `restarts`: it ends the
    process of its roles. `separate`: two of its kind with other parameters leave each other alone. `harmless`: it
    breaks nothing that anybody depends on.
    """

    name: str
    kind: str
    params: object
    start_s: float
    end_s: float
    targets: tuple[str, ...] = (MACHINE,)
    roles: tuple[str, ...] = ()
    restarts: bool = False
    separate: bool = False
    harmless: bool = False

    def overlaps(self, other: ActiveFault) -> bool:
        """Tell whether both are active at the same time; one that begins when the other ends is not."""
        return self.start_s < other.end_s and other.start_s < self.end_s


def clashes(fault: ActiveFault, other: ActiveFault) -> bool:
    """Tell whether healing one of two faults would end the other unseen, so that they may not be active at once.

    Two on the same edge share its proxy. Two of a kind on the same target share its switch, unless they are
    `separate`. And a process that is ended takes with it whatever else is wrong with its role.
    """
    if not fault.overlaps(other):
        return False
    shared = set(fault.targets) & set(other.targets)
    if any("->" in target for target in shared):
        return True
    apart = fault.separate and fault.params != other.params
    if fault.kind == other.kind and shared and not apart:
        return True
    restarts = fault.restarts or other.restarts
    return restarts and bool(set(fault.roles) & set(other.roles))


def most_targets(faults: Sequence[ActiveFault], during: ActiveFault) -> tuple[int, float]:
    """Return how many targets are broken at once at most while `during` is active, it included, and from when on."""
    starts = [fault.start_s for fault in faults if during.start_s < fault.start_s < during.end_s]
    most, since_s = 0, during.start_s
    for moment in sorted({during.start_s, *starts}):
        active = [fault for fault in (*faults, during) if fault.start_s <= moment < fault.end_s]
        count = len({target for fault in active for target in fault.targets})
        if count > most:
            most, since_s = count, moment
    return most, since_s


def over_budget(faults: Iterable[ActiveFault], budget: Budget) -> Iterator[tuple[ActiveFault, str, str]]:
    """Yield each fault that is over the budget: (fault, what it is, what is allowed), in words."""
    earlier: list[ActiveFault] = []
    for fault in sorted(faults, key=lambda fault: fault.start_s):
        lasts_s = fault.end_s - fault.start_s
        if lasts_s > budget.lasts + 1e-9:
            yield fault, f"`{fault.name}` for {format_duration(lasts_s)}", f"at most {format_duration(budget.lasts)}"
        count, since_s = most_targets(earlier, fault)
        if count > budget.targets:
            value = f"{count} targets broken at once, {format_duration(since_s)} into the drill, with `{fault.name}`"
            yield fault, value, f"at most {budget.targets}"
        earlier.append(fault)


def forbidden(
    faults: Iterable[ActiveFault], allowed: Sequence[str | Allowed], *, owns_stack: bool, allow_faults: bool
) -> Iterator[tuple[ActiveFault, str]]:
    """Yield each fault that may not be played with a sentence why, none when all may.

    On a stack that the engine itself brings up and takes down everything may be broken. Elsewhere a fault must be
    harmless, or stand in stack.yaml's `allow_faults` and be allowed on the command line (`allow_faults`), both.
    """
    for fault in faults:
        reasons = []
        if not _listed(fault, allowed):
            listed = f"{fault.kind} (for {', '.join(fault.targets)})"
            reasons.append(f"stack.yaml's allow_faults does not list {listed}")
        if not allow_faults:
            reasons.append("--allow-faults was not given")
        if reasons and not owns_stack and not fault.harmless:
            yield fault, f"Fault {fault.name} breaks a stack that is not ours, and {' and '.join(reasons)}."


def _listed(fault: ActiveFault, allowed: Sequence[str | Allowed]) -> bool:
    """A kind by itself is allowed everywhere; one of a role only where the fault reaches nothing but such roles."""
    if fault.kind in allowed:
        return True
    roles = {entry.role for entry in allowed if isinstance(entry, Allowed) and fault.kind in entry.faults}
    return MACHINE not in fault.targets and all(_role_of(target) in roles for target in fault.targets)


def _role_of(target: str) -> str:
    """Return the role that a target belongs to: of an edge, the one that is called."""
    return target.rpartition("->")[2].strip()
