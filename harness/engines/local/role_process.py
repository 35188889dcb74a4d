"""One role of a stack as a process of this machine."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, cast

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.launch_spec import LocalStart
from tocsin.harness.engines.common.child_processes import Child, Owner, unprivileged
from tocsin.harness.engines.common.health import HealthCheck
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import RoleDriver
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.kernel import open_files, process_tree
from tocsin.harness.engines.kernel.foreign_process import ForeignProcess
from tocsin.harness.engines.kernel.memory_cgroups import MemoryCgroup
from tocsin.harness.engines.kernel.write_cgroups import WriteCgroup
from tocsin.harness.provisioning.program_lookup import Program

_WAITING = ("sh", "-c", 'read -r go; exec "$@"', "sh")
"""Runs what follows once it is told to, so that its first write already counts for the group that it was put into."""


class RoleProcess(RoleDriver):
    """The process of a role, started or not; `group` and `writes` are its control groups, if a fault needs them."""

    engine: ClassVar[str] = "local"

    def __init__(self, name: str, local: LocalStart, places: Places, run: RunFolders) -> None:
        self.name = name
        self.group: MemoryCgroup | None = None
        self.writes: WriteCgroup | None = None
        self.child: Child | None = None
        self._local, self._places, self._run = local, places, run
        self._starter = run.child_starter()
        self._health = HealthCheck(role=name, places=places, health=local.health)
        self._started_at = 0.0
        self._expected_to_end: Child | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.child is not None and self.child.alive

    @property
    def owner(self) -> Owner:
        """The user that it runs as: a third-party server has no privileges."""
        return unprivileged() if self._local.program else Owner()

    def host_pid(self) -> int | None:
        """Return the pid of its process, None while it does not run."""
        child = self.child
        return child.process.pid if child and child.alive else None

    def adopt(self, pid: int, since: str) -> None:
        """Take over a process that another one started; `since` is when it began, as the kernel reports."""
        process = cast("subprocess.Popen[bytes]", ForeignProcess(pid, since))  # all that a Child asks of one
        log = self._starter.logs / f"{self.name}.log"
        self.child = Child(name=self.name, process=process, log=log, logged_from=0, stop_s=self._local.stop_s)

    def prepare(self) -> None:
        """Make its folders and copy its files, owned by the user that it runs as."""
        self._make_folder(self._places.data(self.name))
        for folder in self._local.folders:
            self._make_folder(Path(self._fill(folder)))
        for source, target in self._local.copy_files.items():
            path = Path(self._fill(target))
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(self._fill(source), path)
            except OSError as error:
                raise StackError(f"Cannot copy {source} for role {self.name!r}: {error}.") from None
            self.owner.own(path)

    def _make_folder(self, folder: Path) -> None:
        missing = [parent for parent in folder.parents if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in (folder, *missing):
            path.chmod(0o755)
            self.owner.own(path)

    def start(self) -> None:
        """Start its process; does not wait for it."""
        local, program = self._local, self._places.program(self.name)
        self._health.about_to_start()
        argv = [self._fill(text) for text in local.argv]
        if local.modules_flag and program and program.modules:
            argv.append(self._fill(local.modules_flag))
        self._started_at = self._run.clock.now()
        env, cwd = self._environment(program), str(self._places.data(self.name))
        if local.cwd:
            cwd = self._fill(local.cwd)
        self.child = self._starter.start(argv, name=self.name, owner=self.owner, env=env, stop_s=local.stop_s, cwd=cwd)
        for group in (self.group, self.writes):
            if group:
                group.add(self.child.process.pid)

    def _environment(self, program: Program | None) -> dict[str, str]:
        environment = dict(program.environment) if program else {}
        if self._local.program:
            environment["HOME"] = str(self._places.data(self.name))
        for variable, seconds in self._places.stack.timers.get(self.name, {}).items():
            environment[variable] = f"{seconds / self._places.speed:.6g}"
        for variable, text in self._local.env.items():
            environment[variable] = self._fill(text)
        return environment

    def _fill(self, text: str) -> str:
        return self._places.fill(text, self.name)

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until it is healthy, upload its files, and return the wall seconds since its start."""
        if self.child is None:
            raise StackError(f"Role {self.name!r} was never started.")
        self._health.wait(self.child, self._run.clock, given_up)
        self._health.upload(self._local.put)
        return self._run.clock.now() - self._started_at

    def stop(self, *, kill: bool) -> None:
        """End it on purpose: SIGTERM and some patience, or SIGKILL."""
        self.expect_end()
        if self.child is not None:
            self.child.end(kill=kill)

    def expect_end(self) -> None:
        """Mark the end of its present process as expected."""
        self._expected_to_end = self.child

    def died(self) -> str:
        """Return how it ended unexpectedly; empty while it has not."""
        child = self.child  # compared as an object, so that stop and restart may go on in another thread meanwhile
        if child is None or child.alive or child is self._expected_to_end:
            return ""
        return child.ended()

    def signal(self, number: int) -> int:
        """Send a signal to all of its processes; return how many got it."""
        return process_tree.signal_all(self.host_pid(), number)

    def frozen(self) -> tuple[int, int]:
        """Return (frozen, all) of its processes, as the kernel reports."""
        return process_tree.frozen(self.host_pid())

    def limit(self, limits: Mapping[str, float]) -> None:
        """Set limits, or lift all; StackError for one that cannot be set here."""
        if not limits:
            self._lift()
            return
        self.expect_end()
        if "open_files" in limits:
            open_files.lower(self._run.work, self.name, self.host_pid(), int(limits["open_files"]))
        if "memory_mib" in limits:
            if self.group is None:
                raise StackError(f"Role {self.name!r} has no memory group: no fault of the plan asked for one.")
            self.group.limit(limits["memory_mib"])
        if "writes_per_s" in limits:
            if self.writes is None:
                raise StackError(f"Role {self.name!r} has no disk that can be slowed: no fault of the plan needs one.")
            self.writes.limit(limits["writes_per_s"])

    def _lift(self) -> None:
        open_files.restore(self._run.work, self.name, self.host_pid())
        for group in (self.group, self.writes):
            if group:
                group.lift()

    def usage(self) -> dict[str, float]:
        """Return what the kernel reports of its processes, and of its memory group if it has one."""
        of_group = self.group.usage() if self.group else {}
        return {**process_tree.tree_usage(self.host_pid()), **open_files.lowest_limit(self.host_pid()), **of_group}

    def run_in(self, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
        """Run a short command in its folder as its user, in its group for writes; killed when it takes longer."""
        child = self._starter.start(
            (*_WAITING, *argv),
            name=f"{self.name}-command",
            env={"LC_ALL": "C"},
            owner=self.owner,
            cwd=str(self._places.data(self.name)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if self.writes:
            self.writes.add(child.process.pid)
        try:
            output, _ = child.process.communicate(b"\n", timeout=within_s)
        except subprocess.TimeoutExpired:
            child.end(kill=True)
            raise StackError(f"{argv[0]} beside {self.name} took longer than {within_s:g} s.") from None
        return child.process.returncode, output.decode("utf-8", errors="replace")
