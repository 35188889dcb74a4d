"""Limits a role's memory below what it holds; the witness reads the kernel's count of processes killed for it."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Witness, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import LimitFault, RoleParams, health

_LEAST_MIB = 4.0


class OutOfMemoryParams(RoleParams):
    """`share` of the memory it holds that it may keep."""

    share: float = Field(default=0.5, gt=0, le=0.9)


class OutOfMemory(LimitFault):
    """A role runs out of memory and is killed by the kernel."""

    params: OutOfMemoryParams
    capabilities = ("limit:memory", "start")
    restarts_role = "at_heal"

    def inject(self, live: LiveStack) -> None:
        """Lower the limit, unless there is one; the kernel does the rest, and the role's end is expected."""
        usage = live.usage(self.params.role)
        if "memory_limit_mib" not in usage:
            used_mib = usage.get("memory_mib", 0.0)
            live.limit(self.params.role, memory_mib=max(used_mib * self.params.share, _LEAST_MIB))

    def witness(self, live: LiveStack) -> Witness:
        """It does not run, and the kernel has killed for want of memory: present. It runs and is well: absent."""
        role, kills = self.params.role, live.usage(self.params.role).get("oom_kills", 0.0)
        if live.alive(role):
            return health(live, role)
        detail = f"{role} does not run; the kernel killed {kills:.0f} processes of it for want of memory"
        return present_if(kills > 0, detail, otherwise="cannot_tell")
