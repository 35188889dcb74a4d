"""Limits a role's memory to little more than it holds, so that allocations must make room; it lives."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import LimitFault, RoleParams, health

_SLACK = 0.25
"""It counts as short while at most this share of `leave_mib` is free: the kernel hands memory out in batches."""
_BATCH_MIB = 0.4
"""The kernel reclaims in batches, so usage stays a little below the limit."""


class MemoryPressureParams(RoleParams):
    """`leave_mib`: what it may take beyond what it holds now, page cache included."""

    leave_mib: float = Field(default=2.0, ge=0.5)
    example = {"role": "model", "leave_mib": 0.6}


class MemoryPressure(LimitFault):
    """A role is short of memory, but lives."""

    params: MemoryPressureParams
    capabilities = ("limit:memory", "start")

    def inject(self, live: LiveStack) -> None:
        """Lower the limit, unless there is one."""
        usage = live.usage(self.params.role)
        if "memory_limit_mib" not in usage:
            live.limit(self.params.role, memory_mib=usage.get("memory_mib", 0.0) + self.params.leave_mib)

    def witness(self, live: LiveStack) -> Witness:
        """It lives, and has used up what it was left: present. No limit, and it is well: absent."""
        role, usage = self.params.role, live.usage(self.params.role)
        used_mib, most_mib = usage.get("memory_mib", 0.0), usage.get("memory_limit_mib")
        if most_mib is None:
            return health(live, role)
        if not live.alive(role):
            return cannot_tell(f"{role} does not run: this was too little memory for it")
        short = used_mib >= most_mib - max(self.params.leave_mib * _SLACK, _BATCH_MIB)
        return present_if(short, f"{role} holds {used_mib:.1f} of {most_mib:.1f} MiB", otherwise="cannot_tell")
