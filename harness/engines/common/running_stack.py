"""A stack that is up: the one implementation of LiveStack, over an engine's backend and its role drivers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from tocsin.harness.core.errors import StackError, TocsinError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import EdgeProxy, Prober
from tocsin.harness.engines.common import stack_state
from tocsin.harness.engines.common.child_processes import end_all
from tocsin.harness.engines.common.health import Abandoned
from tocsin.harness.engines.common.role_driver import Backend, RoleDriver
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord
from tocsin.harness.engines.kernel.run_processes import kill_run

_KILL_S = 5.0
_LIMITS = ("memory_mib", "open_files", "writes_per_s")
_AFTER_AN_ERROR_S = 0.5
_LONGEST_CALL_S = 60.0


@dataclass(kw_only=True)
class BackgroundThreads:
    """Repeats actions in the background while a fault lasts, such as a crash loop: one thread each.

    A call that fails is noted and tried again: a role that does not come up, say.
    """

    journal: Journal
    _running: dict[str, tuple[threading.Thread, threading.Event]] = field(default_factory=dict)

    def start(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` now, and again after the wall seconds it returns; nothing happens if a loop has that name."""
        if name in self._running:
            return
        over = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(name, do, over), name=name, daemon=True)
        self._running[name] = thread, over
        thread.start()

    def cease(self, name: str, within_s: float = _LONGEST_CALL_S) -> None:
        """End the loop of this name after its present call; nothing happens where there is none."""
        if running := self._running.pop(name, None):
            thread, over = running
            over.set()
            thread.join(within_s)

    def end_all(self) -> None:
        """Tell all to end, without waiting for their present calls."""
        for name in list(self._running):
            self.cease(name, within_s=0.0)

    def _repeat(self, name: str, do: Callable[[], float], over: threading.Event) -> None:
        pause_s = 0.0
        while not over.wait(pause_s):
            try:
                pause_s = do()
            except (OSError, TocsinError) as error:
                pause_s = _AFTER_AN_ERROR_S
                self.journal.note("error", message=f"{name}: {error}")


class RunningStack:
    """Implements LiveStack (see there). `write_down`, `wait_for_all` and `down` are the engine's.

    With `roles_gone` the processes of the roles are gone for good: none is alive, and none is started again.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        run: RunFolders,
        journal: Journal,
        record: GuardRecord | None = None,
        roles_gone: bool = False,
    ) -> None:
        self.engine, self.capabilities, self.work, self.run_id = backend.engine, backend.capabilities, run.work, run.id
        self.stack, self.speed = backend.places.stack, backend.places.speed
        self._backend, self._run, self._journal, self._roles_gone = backend, run, journal, roles_gone
        self._record = record or GuardRecord(run.work / GUARD_FILE)
        self._loops = BackgroundThreads(journal=journal)
        self._prober: Prober | None = None

    def write_down(self) -> None:
        """Write down, in stack.json, how another process reaches the stack."""
        pids = {name: pid for name, role in self._backend.roles.items() if (pid := role.host_pid()) is not None}
        backend = self._backend
        content = stack_state.described(backend.engine, backend.places, folder=self._run.folder, pids=pids)
        stack_state.write_down(self.work, {**content, **backend.more_state})

    def wait_for_all(self) -> None:
        """Wait for all roles side by side; raise the first failure at once, and give up the other waits then."""
        given_up = threading.Event()
        with ThreadPoolExecutor(max_workers=max(len(self._backend.roles), 1)) as pool:
            try:
                waits = [pool.submit(self._wait, role, given_up) for role in self._backend.roles]
                wait(waits, return_when=FIRST_EXCEPTION)
            finally:
                given_up.set()
        failures = [error for done in waits if (error := done.exception())]
        for error in sorted(failures, key=lambda error: isinstance(error, Abandoned)):
            raise error

    def _wait(self, role: str, given_up: threading.Event | None = None) -> None:
        took_s = self._role(role).wait(given_up)
        self._journal.note("role_healthy", role=role, took_s=round(took_s, 3))

    def down(self) -> None:
        """End every process of the run and remove the stack. May be called again, and on a half-started stack."""
        self._loops.end_all()
        end_all(self._run.children)
        kill_run(self.run_id, _KILL_S, reap=self._reap)
        self._backend.helpers.remove()

    def _reap(self) -> None:
        for child in self._run.children:
            child.process.poll()

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `host:port` of a role (its primary port by default); it stays the same over a restart."""
        return self._backend.places.address(role, port, caller=caller)

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError if it has none."""
        return self._backend.helpers.proxy(edge)

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose."""
        if not self._roles_gone:
            self._role(role).stop(kill=kill)
            self.write_down()

    def restart(self, role: str, *, wait: bool = True) -> None:
        """Start a role again unless it runs, and wait until it is healthy if asked to."""
        if self._roles_gone:
            return
        driver = self._role(role)
        if not driver.alive:
            driver.start()
            self.write_down()
        if wait:
            self._wait(role)

    def alive(self, role: str) -> bool:
        """Tell whether a role runs."""
        return not self._roles_gone and self._role(role).alive

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's last lines, for each role that ended unexpectedly."""
        sentences = {name: role.died() for name, role in self._backend.roles.items()}
        return {name: how for name, how in sentences.items() if how} | self._backend.helpers.died()

    def expect_end(self, role: str) -> None:
        """Mark the end of this role's present process as expected."""
        self._role(role).expect_end()

    def signal(self, role: str, number: int) -> int:
        """Send a signal to a role; return how many processes or containers got it."""
        return self._role(role).signal(number)

    def frozen(self, role: str) -> tuple[int, int]:
        """Return (frozen, all) of a role's processes or containers."""
        return self._role(role).frozen()

    def limit(self, role: str, **limits: float) -> None:
        """Limit what a role may use; without any limit, lift all."""
        if unknown := sorted(set(limits) - set(_LIMITS)):
            raise StackError(f"No role can be limited in {', '.join(unknown)}; known limits: {', '.join(_LIMITS)}.")
        self._role(role).limit(limits)

    def usage(self, role: str) -> Mapping[str, float]:
        """Return what a role uses, as far as it is known here."""
        return self._role(role).usage()

    def disconnect(self, role: str) -> None:
        """Take a role off all its networks."""
        self._role(role).disconnect()

    def reconnect(self, role: str) -> None:
        """Put a role back on the networks that it was taken off."""
        self._role(role).reconnect()

    def networks(self, role: str) -> tuple[str, ...]:
        """Return the networks that a role is on."""
        return self._role(role).networks()

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        """Run a short command where the role's files are, as its user; return exit status and output."""
        return self._role(role).run_in(argv, within_s=within_s)

    def disk(self, name: str) -> str:
        """Return the folder of a disk as its role sees it; StackError if this run has no such disk."""
        disks = self._backend.disks
        if name not in disks:
            known = ", ".join(disks) or "none"
            raise StackError(f"Disk {name!r} is not mounted in this run; mounted: {known}.")
        return disks[name]

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; an `env` given is added to ours."""
        return self._run.child_starter().start(argv, name=name, env=popen.pop("env", None), **popen).process

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` again and again in the background; it returns the wall seconds until the next call."""
        self._loops.start(name, do)

    def cease(self, name: str) -> None:
        """End the loop of this name after its present call."""
        self._loops.cease(name)

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        """Write down in `<work>/guard.jsonl` what is about to be broken; safe on disk on return."""
        outlives = outlives or self._backend.faults_outlive
        self._record.write_injection(fault, kind=kind, params=params, outlives=outlives, at=self._run.clock.now())

    def healed(self, fault: str) -> None:
        """Write down there that a fault was healed."""
        self._record.write_heal(fault, at=self._run.clock.now())

    def attach_prober(self, prober: Prober) -> None:
        """Set the canary process that witnesses ask."""
        self._prober = prober

    @property
    def prober(self) -> Prober:
        """The canary process of this run; StackError before one was attached."""
        if self._prober is None:
            raise StackError("No canary process is attached to this stack.", hint="Call attach_prober first.")
        return self._prober

    def _role(self, role: str) -> RoleDriver:
        self._backend.places.address(role)  # its error names the roles there are
        return self._backend.roles[role]
