"""One role of a stack as a process: prepared, started, awaited, stopped on purpose, or found dead."""

from __future__ import annotations

import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.launch_spec import LocalStart
from tocsin.harness.engines.common.child_processes import Child, Nursery, Owner, unprivileged
from tocsin.harness.engines.common.health import Await, request, stamp
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.kernel.foreign_process import Adopted
from tocsin.harness.engines.kernel.memory_cgroups import MemoryGroup
from tocsin.harness.engines.kernel.write_cgroups import WriteGroup

_PUT_S = 15.0


@dataclass(kw_only=True)
class RoleProcess:
    """The process of a role, started or not, in control groups of its own if it has any."""

    name: str
    places: Places
    nursery: Nursery
    clock: Clock
    group: MemoryGroup | None = None
    writes: WriteGroup | None = None
    child: Child | None = None
    _before: int | None = None
    _started_at: float = 0.0
    _asked: Child | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.child is not None and self.child.alive

    def adopt(self, pid: int, since: str) -> None:
        """Take a process that somebody else started for its own; `since` is when it began, as the kernel tells."""
        log, stop_s = self.nursery.logs / f"{self.name}.log", self._local.stop_s
        process = cast("subprocess.Popen[bytes]", Adopted(pid, since))  # all that a Child asks of one
        self.child = Child(name=self.name, process=process, log=log, logged_from=0, stop_s=stop_s)

    @property
    def pid(self) -> int | None:
        """The pid of its process, None while it does not run."""
        return self.child.process.pid if self.child and self.child.alive else None

    @property
    def _local(self) -> LocalStart:
        local = self.places.stack.roles[self.name].local
        if local is None:
            raise StackError(f"Role {self.name!r} says nothing about how to start it here.", hint="Give it `local:`.")
        return local

    @property
    def owner(self) -> Owner:
        """Whom it runs as."""
        return unprivileged() if self._local.program else Owner()

    def _fill(self, text: str) -> str:
        return self.places.fill(text, self.name)

    def prepare(self) -> None:
        """Make its folders and copy its files, owned by whom it runs as."""
        local, owner = self._local, self.owner
        for folder in (self.places.data(self.name), *(Path(self._fill(text)) for text in local.folders)):
            missing = [place for place in (folder, *folder.parents) if not place.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            for place in (folder, *missing):
                place.chmod(0o755)
                owner.own(place)
        for source, target in local.copy_files.items():
            place = Path(self._fill(target))
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(self._fill(source), place)
            except OSError as error:
                raise StackError(f"Cannot copy {source} for role {self.name!r}: {error}.") from None
            owner.own(place)

    def start(self) -> None:
        """Start its process; does not wait for it."""
        self._before = stamp(self._health_file())
        local = self._local
        argv = [self._fill(text) for text in local.argv]
        program = self.places.programs.get(local.program) if local.program else None
        if local.modules_flag and program and program.modules:
            argv.append(self._fill(local.modules_flag))
        self._started_at = self.clock.now()
        self.child = self.nursery.start(
            argv,
            name=self.name,
            owner=self.owner,
            env=self._environment(dict(program.environment) if program else {}),
            stop_s=local.stop_s,
            cwd=self._fill(local.cwd) if local.cwd else str(self.places.data(self.name)),
        )
        for group in (self.group, self.writes):
            if group:
                group.add(self.child.process.pid)

    def _environment(self, needed: dict[str, str]) -> dict[str, str]:
        if self._local.program:
            needed["HOME"] = str(self.places.data(self.name))
        timers = self.places.stack.timers.get(self.name, {})
        divided = {variable: f"{seconds / self.places.speed:.6g}" for variable, seconds in timers.items()}
        return {**needed, **divided, **{key: self._fill(text) for key, text in self._local.env.items()}}

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until it is healthy, hand in what it is to be told, and return the wall seconds since its start."""
        if self.child is None:
            raise StackError(f"Role {self.name!r} was never started.")
        health = self._local.health
        Await(
            child=self.child,
            address=self.places.address(self.name),
            http=self._fill(health.http) if health.http else None,
            file=self._health_file(),
            before=self._before,
            within_s=health.within_s,
        ).wait(self.clock, given_up)
        for path, source in self._local.put.items():
            self._put(self._fill(path), Path(self._fill(source)))
        return self.clock.now() - self._started_at

    def _health_file(self) -> Path | None:
        return Path(self._fill(self._local.health.file)) if self._local.health.file else None

    def _put(self, path: str, source: Path) -> None:
        address = self.places.address(self.name)
        try:
            status, body = request(address, path, method="PUT", body=source.read_bytes(), within_s=_PUT_S)
        except OSError as error:
            raise StackError(f"Cannot PUT {source} to {self.name} at {path}: {error}.") from None
        if not 200 <= status < 300:
            words = body.decode("utf-8", errors="replace")[:500]
            raise StackError(
                f"{self.name} answered {status} to PUT {path} of {source}: {words}", hint="Correct that file."
            )

    def stop(self, *, kill: bool) -> None:
        """End it on purpose."""
        self.expect_end()
        if self.child is not None:
            self.child.end(kill=kill)

    def expect_end(self) -> None:
        """Take the end of its present process, whenever it comes, as asked for."""
        self._asked = self.child

    def died(self) -> str:
        """Return how it ended unasked, or nothing."""
        child = self.child  # compared as an object, so that stop and restart may go on in another thread meanwhile
        if child is None or child.alive or child is self._asked:
            return ""
        return child.ended()
