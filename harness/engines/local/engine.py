"""The local engine: a stack as native processes on loopback ports of this machine, without root and without Docker."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.bring_up import allot_ports, running
from tocsin.harness.engines.common.child_processes import unprivileged
from tocsin.harness.engines.common.host_capabilities import HostNeeds, capabilities
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.local.local_backend import LocalBackend
from tocsin.harness.provisioning import programs
from tocsin.harness.provisioning.program_lookup import Program

DISK_MIB = 500
_PORT_TAKEN = ("in use", f"[Errno {errno.EADDRINUSE}]")


class LocalEngine:
    """Brings a stack up as processes of this machine."""

    name = "local"
    owns_stack = True
    around_play_s = 12

    def capabilities(self, stack: Stack) -> frozenset[str]:
        """Return what can be done to a role's processes on this machine."""
        return capabilities(stack)

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return the names of the programs that the stack's roles run, sorted."""
        return stack.programs

    def up(self, timeline: Timeline, run: Run, journal: Journal) -> AbstractContextManager[RunningStack]:
        """Bring the stack up, give it, and take it down on every way out."""
        return running(LocalAttempt(timeline=timeline, run=run), run, journal)


@dataclass(frozen=True, kw_only=True)
class LocalAttempt:
    """One run about to be brought up."""

    timeline: Timeline
    run: Run

    def prepare(self) -> LocalBackend:
        """Find every program, see that there is room, and choose ports."""
        stack = self.timeline.stack
        found = self._programs(stack)
        _check_room(stack, self.run.work)
        if stack.programs and unprivileged().uid is not None:
            _check_reachable(self.run.work)
        roles = [name for name, role in stack.roles.items() if role.local]
        return LocalBackend.of(allot_ports(self.timeline, self.run, roles, found), self.run)

    def _programs(self, stack: Stack) -> Mapping[str, Program]:
        missing = sorted(set(stack.programs) - set(self.run.programs))
        if not missing:
            return self.run.programs
        return {**self.run.programs, **programs.find_all(missing, programs.cache_folder())}

    def start(self, backend: LocalBackend, live: RunningStack) -> None:
        """Start all roles side by side, and wait until all are healthy."""
        backend.start(HostNeeds.of(self.timeline), config_copy=self.run.folder / "config")
        live.write_down()
        live.wait_for_all()

    def port_taken(self, error: BaseException) -> bool:
        """Tell whether a server ended because its port was in use."""
        return isinstance(error, RoleDied) and any(sign in str(error) for sign in _PORT_TAKEN)


def _check_room(stack: Stack, work: Path) -> None:
    free_mib, memory_mib = programs.disk_free_mib(work), programs.memory_mib()
    if free_mib < DISK_MIB:
        raise StackError(
            f"{work} has {free_mib} MiB free; a run needs {DISK_MIB}.",
            hint="Make room, or set TMPDIR to a roomier place.",
        )
    needed_mib = sum(role.memory_mib for role in stack.roles.values() if role.local)
    if memory_mib < needed_mib:
        raise StackError(
            f"This machine has {memory_mib} MiB of memory left; stack {stack.name!r} takes {needed_mib}.",
            hint="Stop something else, or play where there is more.",
        )


def _check_reachable(work: Path) -> None:
    for folder in work.parents:
        if not os.stat(folder).st_mode & 0o001:
            raise StackError(
                f"{folder} is closed to other users, so the unprivileged servers cannot reach {work}.",
                hint="Set TMPDIR to a place such as /tmp.",
            )
