"""Starts and ends child processes: each in a session of its own, carrying the run id, its output in stack-logs."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tocsin
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel.run_processes import RUN_ID, send_signal

PROJECT = Path(tocsin.__file__).resolve().parent.parent
"""The folder from which `tocsin` is imported."""
TAIL_LINES = 10
_TAIL_BYTES = 16_384
_SPARE_UID = 64_123
_KILL_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The user that a server runs as. `uid` None: whoever runs Tocsin."""

    uid: int | None = None
    gid: int | None = None

    def own(self, place: Path) -> None:
        """Give a file or folder to this owner."""
        if self.uid is not None and self.gid is not None:
            os.chown(place, self.uid, self.gid)

    def popen(self) -> dict[str, Any]:
        """Return the arguments of Popen that run a process as this owner."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def unprivileged() -> Owner:
    """Return the user that third-party servers run as: `nobody` (or a spare uid) when we are root, else ourselves."""
    if os.geteuid() != 0:
        return Owner()
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Owner(uid=_SPARE_UID, gid=_SPARE_UID)
    return Owner(uid=entry.pw_uid, gid=entry.pw_gid)


@dataclass(frozen=True, kw_only=True)
class Child:
    """A started process. `logged_from` is the size its log had before it started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    logged_from: int
    stop_s: float = 3.0

    @property
    def alive(self) -> bool:
        """Whether it runs; collects it when it has ended."""
        return self.process.poll() is None

    def tail(self) -> str:
        """Return the last lines that this process wrote into its log, indented, or a note that there are none."""
        return tail(self.log, self.logged_from)

    def ended(self) -> str:
        """Return a sentence on how it ended, with its last lines."""
        return f"{self.name} {_ending(self.process.poll())}. Its last lines in {self.log}:\n{self.tail()}"

    def end(self, *, kill: bool = False) -> None:
        """SIGTERM, patience of `stop_s`, SIGKILL; or SIGKILL at once. Reaches all of its session's group."""
        if not kill and self.alive:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.stop_s)
        if self.alive:
            send_signal(self.process.pid, signal.SIGKILL, group=True)
            self.process.wait(_KILL_S)

    def terminate(self) -> None:
        """Ask it to end; a paused one is woken up, so that it can."""
        if self.alive:
            for number in (signal.SIGTERM, signal.SIGCONT):
                send_signal(self.process.pid, number, group=True)


def _ending(code: int | None) -> str:
    """Return how a process with this exit code, as Popen has it, ended."""
    if code is None:
        return "still runs"
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def tail(log: Path, start: int = 0) -> str:
    """Return the last lines of a file from byte `start` on, indented."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (nothing)"


@dataclass(frozen=True, kw_only=True)
class ChildStarter:
    """Starts child processes of one run. `logs` is the folder of their output; `children` gets each of them."""

    run_id: str
    logs: Path
    children: list[Child] = field(default_factory=list)
    base: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return a child's environment: ours, the run id, a Python that finds this project, and `more`."""
        search_path = (str(PROJECT), self.base.get("PYTHONPATH", ""))
        return {
            **self.base,
            "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
            **more,
            RUN_ID: self.run_id,
        }

    def start(
        self,
        argv: Sequence[str],
        *,
        name: str,
        owner: Owner | None = None,
        env: Mapping[str, str] | None = None,
        stop_s: float = 3.0,
        **popen: Any,
    ) -> Child:
        """Start a child; StackError if that fails. stdin is empty and output logged unless `popen` says otherwise."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            logged_from = output.tell()
            options: dict[str, Any] = {
                "stdin": subprocess.DEVNULL,
                "stdout": output,
                "stderr": output,
                "umask": 0o022,
                **popen,
                **(owner or Owner()).popen(),
                "env": self.environment(env or {}),
                "start_new_session": True,
            }
            try:
                process = subprocess.Popen(list(argv), **options)
            except (OSError, subprocess.SubprocessError) as error:
                hint = "Check that it may be run."
                raise StackError(f"Cannot start {name} ({argv[0]}): {error}.", hint=hint) from None
        child = Child(name=name, process=process, log=log, logged_from=logged_from, stop_s=stop_s)
        self.children.append(child)
        return child


def end_all(children: Iterable[Child]) -> None:
    """End many children side by side: SIGTERM to all, then SIGKILL to each that outlasts its own patience."""
    began = time.monotonic()
    waiting = [child for child in children if child.alive]
    patience_s = max((child.stop_s for child in waiting), default=0.0) + _KILL_S
    for child in waiting:
        child.terminate()
    while waiting and (waited_s := time.monotonic() - began) < patience_s:
        for child in waiting:
            if waited_s > child.stop_s:
                send_signal(child.process.pid, signal.SIGKILL, group=True)
        time.sleep(0.01)
        waiting = [child for child in waiting if child.alive]
