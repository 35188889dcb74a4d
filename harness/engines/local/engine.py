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
from tocsin.harness.engines.common.edge_proxies import ProxyProcess
from tocsin.harness.engines.common.host_capabilities import HostNeeds, HostResources, capabilities
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import Run, RunFolders
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.common.stack_state import StackState, places_in
from tocsin.harness.engines.local.role_process import RoleProcess
from tocsin.harness.engines.render.stack_files import keep_copy, render
from tocsin.harness.provisioning import programs
from tocsin.harness.provisioning.program_lookup import Program

DISK_MIB = 500
_PORT_TAKEN = ("in use", f"[Errno {errno.EADDRINUSE}]")


class LocalEngine:
    """Brings a stack up as processes of this machine."""

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
        """Render the configuration, make what the plan needs, start all roles side by side, and wait for all."""
        places = backend.places
        render(places)
        keep_copy(places.config, self.run.folder / "config")
        resources = HostResources.make(HostNeeds.of(self.timeline), places)
        backend.use(resources)
        backend.helpers.start()
        for role in backend.roles.values():
            role.prepare()
        for name, folder in resources.mounts.items():
            backend.roles[places.stack.disks[name].role].owner.own(folder)
        for role in backend.roles.values():
            role.start()
        live.write_down()
        live.wait_for_all()

    def port_taken(self, error: BaseException) -> bool:
        """Tell whether a server ended because its port was in use."""
        return isinstance(error, RoleDied) and any(sign in str(error) for sign in _PORT_TAKEN)


@dataclass(kw_only=True)
class LocalBackend(Backend):
    """The processes of a stack."""

    roles: Mapping[str, RoleProcess]
    helpers: ProxyProcess

    @classmethod
    def of(cls, places: Places, run: RunFolders) -> LocalBackend:
        """Return the backend of a run; nothing is started."""
        able, helpers = capabilities(places.stack), ProxyProcess(places, run)
        roles = {name: _role(name, places, run) for name in places.ports}
        return cls(engine="local", places=places, capabilities=able, roles=roles, helpers=helpers)

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> LocalBackend:
        """Return the backend of a stack that another process brought up; its roles are taken over as they are."""
        backend = cls.of(places_in(content, run.work), run)
        backend.use(HostResources.read(content))
        for role, pid in content["pids"].items():
            backend.roles[role].adopt(pid, content["began"].get(role, ""))
        return backend

    def use(self, resources: HostResources) -> None:
        """Take the disks and control groups that were made for this run into use."""
        self.disks = {name: str(folder) for name, folder in resources.mounts.items()}
        self.more_state = resources.state()
        for name, group in resources.groups.items():
            self.roles[name].group = group
        for name, writes in resources.writes.items():
            self.roles[name].writes = writes


def _role(name: str, places: Places, run: RunFolders) -> RoleProcess:
    local = places.stack.roles[name].local
    if local is None:
        raise StackError(f"Role {name!r} does not say how to start it here.", hint="Give it `local:`.")
    return RoleProcess(name, local, places, run)


def _check_room(stack: Stack, work: Path) -> None:
    free_mib, memory_mib = programs.disk_free_mib(work), programs.memory_mib()
    if free_mib < DISK_MIB:
        hint = "Make room, or set TMPDIR to a roomier place."
        raise StackError(f"{work} has {free_mib} MiB free; a run needs {DISK_MIB}.", hint=hint)
    needed_mib = sum(role.memory_mib for role in stack.roles.values() if role.local)
    if memory_mib < needed_mib:
        message = f"This machine has {memory_mib} MiB of memory left; stack {stack.name!r} takes {needed_mib}."
        raise StackError(message, hint="Stop something else, or play where there is more.")


def _check_reachable(work: Path) -> None:
    for folder in work.parents:
        if not os.stat(folder).st_mode & 0o001:
            message = f"{folder} is closed to other users, so the unprivileged servers cannot reach {work}."
            raise StackError(message, hint="Set TMPDIR to a place such as /tmp.")
