"""A stack that is up on this machine: what faults, recorders and stages are given."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import EdgeProxy
from tocsin.harness.engines.common.background_loops import Repeats
from tocsin.harness.engines.common.child_processes import Child, Nursery, end_all
from tocsin.harness.engines.common.edge_proxies import Proxies
from tocsin.harness.engines.common.host_capabilities import NOTHING, Extras, Made, handles, make
from tocsin.harness.engines.common.live_stack_base import Attended, wait_for_all
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.stack_state import described, write_down
from tocsin.harness.engines.guardian.guard_record import GUARD, Record
from tocsin.harness.engines.kernel.process_tree import frozen, signal_all
from tocsin.harness.engines.kernel.run_processes import kill_carriers
from tocsin.harness.engines.local.role_operations import limit, run_in, usage
from tocsin.harness.engines.local.role_process import RoleProcess
from tocsin.harness.engines.render.stack_files import keep_copy, render


class LocalStack(Attended):
    """Implements `tocsin.harness.declarations.live_stack.LiveStack`. `start` and `down` are the engine's; the rest may be called meanwhile."""

    engine = "local"

    def __init__(
        self, *, places: Places, run: Run, journal: Journal, extras: Extras = NOTHING, record: Record | None = None
    ) -> None:
        super().__init__(record or Record(run.work / GUARD), run.clock.now)
        self.stack = places.stack
        self.work = run.work
        self.run_id = run.id
        self.speed = places.speed
        self.handles = handles(places.stack)
        self._places = places
        self._run = run
        self._journal = journal
        self._nursery = Nursery(run_id=run.id, logs=run.folder / "stack-logs")
        self._roles = {
            name: RoleProcess(name=name, places=places, nursery=self._nursery, clock=run.clock) for name in places.ports
        }
        self._extras = extras
        self._made = Made()
        self._spawned: list[Child] = []
        self._proxies = Proxies(places, self._nursery, run.clock)
        self._repeats = Repeats(journal=journal)

    def start(self) -> None:
        """Render the configuration, start all roles side by side and wait until all are healthy."""
        began = self._run.clock.now()
        render(self._places)
        keep_copy(self._places.config, self._run.folder / "config")
        self.furnish(make(self._extras, self._places))
        self._proxies.start()
        for role in self._roles.values():
            role.prepare()
        for name, place in self._made.mounts.items():
            self._roles[self.stack.disks[name].role].owner.own(place)
        for role in self._roles.values():
            role.start()
        self._write_down()
        self._wait_for_all()
        self._journal.note("stack_up", took_s=round(self._run.clock.now() - began, 3))

    def furnish(self, made: Made) -> None:
        """Take the disks and memory groups that were made for this run into use."""
        self._made = made
        for name, group in made.groups.items():
            self._roles[name].group = group
        for name, writes in made.writes.items():
            self._roles[name].writes = writes

    def adopt(self, role: str, pid: int, since: str) -> None:
        """Take a process that another one started for a role's own; `since` is when it began, as the kernel tells."""
        self._roles[role].adopt(pid, since)

    def _wait_for_all(self) -> None:
        """Raise the first failure at once; the waits for other roles are given up then."""
        wait_for_all(self._roles, self._wait_and_note)

    def _wait_and_note(self, name: str, given_up: threading.Event | None = None) -> float:
        took_s = self._roles[name].wait(given_up)
        self._journal.note("role_healthy", role=name, took_s=round(took_s, 3))
        return took_s

    def down(self) -> None:
        """End every process of the run, side by side. May be called again, and from a half-started stack."""
        self._repeats.end_all()
        for role in self._roles.values():
            role.expect_end()
        children = [role.child for role in self._roles.values() if role.child] + self._spawned
        children += [self._proxies.child] if self._proxies.child else []
        end_all(children)
        kill_carriers(self.run_id, within_s=5.0, reap=lambda: _reap(children))

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role (its primary port by default); it stays the same over a restart."""
        return self._places.address(role, port, caller=caller)

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError where the plan put none."""
        return self._proxies.on(edge)

    def fill(self, text: str, role: str | None = None) -> str:
        """Return text of stack.yaml with its placeholders filled in."""
        return self._places.fill(text, role)

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; `env` given is added to ours."""
        child = self._nursery.start(argv, name=name, env=popen.pop("env", None), **popen)
        self._spawned.append(child)
        return child.process

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and patience, or SIGKILL."""
        self._role(role).stop(kill=kill)
        self._write_down()

    def restart(self, role: str, *, wait: bool = True) -> None:
        """Start a role again on the same ports unless it runs, and wait until it is healthy if asked to."""
        chosen = self._role(role)
        if not chosen.alive:
            chosen.start()
            self._write_down()
        if wait:
            self._wait_and_note(role)

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` again and again in the background; it returns the wall seconds to the next call."""
        self._repeats.start(name, do)

    def cease(self, name: str) -> None:
        """End what repeats under this name."""
        self._repeats.cease(name)

    def wait(self, role: str) -> float:
        """Wait until a role is healthy and return the wall seconds since its start."""
        return self._role(role).wait()

    def alive(self, role: str) -> bool:
        """Tell whether the role's process runs."""
        return self._role(role).alive

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's tail, for each role that ended unasked."""
        dead = {name: sentence for name, role in self._roles.items() if (sentence := role.died())}
        return {**dead, **self._proxies.died()}

    def expect_end(self, role: str) -> None:
        """Take the end of the role's present process, whenever it comes, as asked for."""
        self._role(role).expect_end()

    def signal(self, role: str, number: int) -> int:
        """Send a signal to all processes of a role; return how many got it."""
        return signal_all(self._role(role).pid, number)

    def frozen(self, role: str) -> tuple[int, int]:
        """Return (frozen, all) of a role's processes, by the kernel."""
        return frozen(self._role(role).pid)

    def limit(self, role: str, **limits: float) -> None:
        """Limit `memory_mib` or `open_files` of a role; without any, lift every limit. StackError for another."""
        limit(self._role(role), self.work, limits)

    def usage(self, role: str) -> Mapping[str, float]:
        """Return what the kernel says of a role's processes and of its memory group, if it has one."""
        return usage(self._role(role))

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        """Run a short command in the role's folder as its user; return its exit status and output."""
        return run_in(self._role(role), argv, within_s=within_s)

    def disk(self, name: str) -> str:
        """Return the folder of a disk; StackError if it is no file system of its own in this run."""
        if name not in self._made.mounts:
            raise StackError(f"Disk {name!r} is none of its own; those: {', '.join(self._made.mounts) or 'none'}.")
        return str(self._made.mounts[name])

    def _role(self, role: str) -> RoleProcess:
        self._places.address(role)  # says which roles there are
        return self._roles[role]

    def _write_down(self) -> None:
        pids = {name: pid for name, role in self._roles.items() if (pid := role.pid) is not None}
        write_down(self.work, described(self._places, folder=self._run.folder, pids=pids) | self._made.written())


def _reap(children: list[Child]) -> None:
    for child in children:
        child.process.poll()
