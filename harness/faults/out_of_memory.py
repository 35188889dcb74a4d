"""A role runs out of memory: its limit falls below what it holds, and the kernel kills it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, health

_LEAST_MIB = 4.0


class OutOfMemoryParams(RoleParams):
    """`share` of the memory it holds that it may keep."""

    share: float = Field(default=0.5, gt=0, le=0.9)


class OutOfMemory(RoleFault):
    """Limits a role's memory so far that the kernel kills it; the witness reads the kernel's count of such kills."""

    kind: ClassVar[str] = "out_of_memory"
    summary: ClassVar[str] = "A role runs out of memory and is killed by the kernel."
    Params: ClassVar[type[Params]] = OutOfMemoryParams
    handles: ClassVar[tuple[str, ...]] = ("limit:memory", "start")

    def inject(self, live: LiveStack) -> None:
        """Take the end for asked, and lower the limit, unless there is one; the kernel does the rest."""
        usage = live.usage(self.params.role)
        if "memory_limit_mib" not in usage:
            held_mib = usage.get("memory_mib", 0.0)
            live.limit(self.params.role, memory_mib=max(held_mib * self.params.share, _LEAST_MIB))

    def heal(self, live: LiveStack) -> None:
        """Lift the limit, and start the role if it does not run."""
        live.limit(self.params.role)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """It does not run, and the kernel has killed for want of memory: present. It runs and is well: absent."""
        role, kills = self.params.role, live.usage(self.params.role).get("oom_kills", 0.0)
        if live.alive(role):
            return health(live, role)
        detail = f"{role} does not run; the kernel killed {kills:.0f} processes of it for want of memory"
        return Witness(state="present" if kills else "cannot_tell", detail=detail)
