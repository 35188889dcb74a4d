"""A role is short of memory, but lives: its limit is just above what it holds, so allocations must make room."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, health

_SLACK = 0.25
"""The share of what it was left that may be free when it counts as short: the kernel hands memory out in batches."""
_BATCH_MIB = 0.4
"""The kernel gives back in batches, so what is held stays a little below a limit that is met."""


class MemoryPressureParams(RoleParams):
    """`leave_mib`: what it may take beyond what it holds now, page cache included."""

    leave_mib: float = Field(default=2.0, ge=0.5)


class MemoryPressure(RoleFault):
    """Limits a role's memory to little more than it holds; the witness reads from the kernel what it holds of it."""

    kind: ClassVar[str] = "memory_pressure"
    summary: ClassVar[str] = "A role is short of memory, but lives."
    Params: ClassVar[type[Params]] = MemoryPressureParams
    handles: ClassVar[tuple[str, ...]] = ("limit:memory", "start")

    def inject(self, live: LiveStack) -> None:
        """Lower the limit, unless there is one."""
        usage = live.usage(self.params.role)
        if "memory_limit_mib" not in usage:
            live.limit(self.params.role, memory_mib=usage.get("memory_mib", 0.0) + self.params.leave_mib)

    def heal(self, live: LiveStack) -> None:
        """Lift the limit, and start the role if it did not survive."""
        live.limit(self.params.role)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """It lives, and has used up what it was left: present. No limit, and it is well: absent."""
        role, usage = self.params.role, live.usage(self.params.role)
        held, most = usage.get("memory_mib", 0.0), usage.get("memory_limit_mib")
        if most is None:
            return health(live, role)
        if not live.alive(role):
            return Witness(state="cannot_tell", detail=f"{role} does not run: this was too little memory for it")
        short = held >= most - max(self.params.leave_mib * _SLACK, _BATCH_MIB)
        detail = f"{role} holds {held:.1f} of {most:.1f} MiB"
        return Witness(state="present" if short else "cannot_tell", detail=detail)
