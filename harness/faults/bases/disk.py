"""Faults of a disk: a folder of a role that is a small file system of its own in drills that need it."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.fault_contract import Fault, Params
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import blinded

_COMMAND_S = 30.0


class DiskParams(Params):
    """`disk` of stack.yaml."""

    disk: str


class DiskFault(Fault):
    """A fault of a role's disk: what comes out of the role, or through it, may not be seen meanwhile."""

    params: DiskParams
    capabilities: ClassVar[tuple[str, ...]] = ("run_in",)

    def needs(self) -> tuple[str, ...]:
        """Return the disk as a file system of its own, and what must be possible with its role."""
        return (f"capability:disk:{self.params.disk}", *super().needs())

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it."""
        disk = stack.disks.get(self.params.disk)
        return () if disk is None else blinded(disk.role, stack)

    def role(self, live: LiveStack) -> str:
        """Return the role that the disk belongs to."""
        return live.stack.disks[self.params.disk].role

    def run(self, live: LiveStack, *argv: str, within_s: float = _COMMAND_S) -> tuple[int, str]:
        """Run a command beside the role, as its user; return exit status and output."""
        return live.run_in(self.role(live), argv, within_s=within_s)
