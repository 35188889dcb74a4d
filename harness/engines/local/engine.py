"""The local engine: a stack as native processes on loopback ports of this machine, without root and without Docker."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common import host_resources
from tocsin.harness.engines.common.child_processes import unprivileged
from tocsin.harness.engines.common.edge_proxies import proxied
from tocsin.harness.engines.common.host_capabilities import Extras, handles
from tocsin.harness.engines.common.live_stack_base import depart
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.local.local_stack import LocalStack
from tocsin.harness.provisioning import programs

DISK_MIB = 500
_TAKEN = ("in use", f"[Errno {errno.EADDRINUSE}]")


class LocalEngine:
    """Brings a stack up as processes of this machine."""

    name = "local"
    owns_stack = True

    def handles(self, stack: Stack) -> frozenset[str]:
        """Return what can be done to a role here (`tocsin.harness.faults.bases.fault.HANDLES`), known before anything is up."""
        return handles(stack)

    @contextmanager
    def up(self, timeline: Timeline, run: Run, journal: Journal) -> Iterator[LocalStack]:
        """Bring the stack up, give it, and take it down on every way out; the work folder goes with it.

        MissingProgram, StackError, RoleDied or WaitTimeout when it does not come up. Collect before leaving: the
        servers and the files in the work folder are gone afterwards.
        """
        with closing(run):
            found = self._examine(timeline.stack, run)
            live = self._start(timeline, run, journal, found)
            try:
                yield live
            finally:
                depart(live, run, journal)

    def _examine(self, stack: Stack, run: Run) -> dict[str, programs.Program]:
        """Find every program, and see that there is room, before anything is started."""
        wanted = {role.local.program for role in stack.roles.values() if role.local and role.local.program}
        missing = sorted(wanted - set(run.programs))
        found = {**run.programs, **(programs.find_all(missing, programs.cache_folder()) if missing else {})}
        free_mib = programs.disk_free_mib(run.work)
        if free_mib < DISK_MIB:
            raise StackError(
                f"{run.work} has {free_mib} MiB free; a run needs {DISK_MIB}.",
                hint="Make room, or set TMPDIR to a roomier place.",
            )
        needed_mib = sum(role.memory_mib for role in stack.roles.values() if role.local)
        memory_mib = programs.memory_mib()
        if memory_mib < needed_mib:
            raise StackError(
                f"This machine has {memory_mib} MiB of memory left; stack {stack.name!r} takes {needed_mib}.",
                hint="Stop something else, or play where there is more.",
            )
        if wanted and unprivileged().uid is not None:
            _check_reachable(run.work)
        return found

    def _start(
        self, timeline: Timeline, run: Run, journal: Journal, found: Mapping[str, programs.Program]
    ) -> LocalStack:
        extras = Extras.of(timeline)
        for last_try in (False, True):
            live = LocalStack(places=self._places(timeline, run, found), run=run, journal=journal, extras=extras)
            run.guard.needed = True
            try:
                live.start()
            except BaseException as error:
                taken = isinstance(error, RoleDied) and any(sign in str(error) for sign in _TAKEN)
                again = taken and not last_try  # another process was quicker on one of our ports: choose others
                if not again:
                    depart(live, run, journal)
                    raise
                live.down()
                host_resources.take_away(run.work)
                journal.note("error", message=str(error))
                continue
            return live
        raise AssertionError("the last try either returns or raises")

    def _places(self, timeline: Timeline, run: Run, found: Mapping[str, programs.Program]) -> Places:
        stack = timeline.stack
        names = [(role, port) for role, declared in stack.roles.items() if declared.local for port in declared.ports]
        ports: dict[str, dict[str, int]] = {role: {} for role, _ in names}
        edges = proxied(timeline)
        chosen = choose_ports(len(names) + len(edges) + 1)
        for (role, port), number in zip(names, chosen, strict=False):
            ports[role][port] = number
        return Places(
            stack=stack,
            work=run.work,
            run_id=run.id,
            speed=timeline.speed,
            ports=ports,
            programs=found,
            edges=dict(zip(edges, chosen[len(names) :], strict=False)),
            proxy_control=chosen[-1],
        )


def _check_reachable(work: Path) -> None:
    for place in work.parents:
        if not os.stat(place).st_mode & 0o001:
            raise StackError(
                f"{place} is closed to other users, so the unprivileged servers cannot reach {work}.",
                hint="Set TMPDIR to a place such as /tmp.",
            )
