"""A stack whose one role is a real process, for faults that work on processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.fake_live import FakeLive, answering

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


class LiveProcess(FakeLive):
    """`model` is a process that sleeps; its address answers 200."""

    def __init__(self, at: str, work: Path) -> None:
        super().__init__(at)
        self.work, self.run_id = work, f"test-{os.getpid()}-{time.monotonic_ns()}"
        self.process: subprocess.Popen[bytes] | None = None
        self.spawned: list[subprocess.Popen[bytes]] = []
        self.restart("model")

    def restart(self, role: str) -> None:
        self.process = subprocess.Popen(SLEEP)
        self._write()

    def stop(self, role: str, *, kill: bool = False) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()
        self.process = None
        self._write()

    def alive(self, role: str) -> bool:
        return self.process is not None

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(list(argv), env={**os.environ, "TOCSIN_RUN_ID": self.run_id})
        self.spawned.append(process)
        return process

    def end(self) -> None:
        for process in [*self.spawned, *([self.process] if self.process else [])]:
            process.kill()
            process.wait()

    def _write(self) -> None:
        pids = {"model": self.process.pid} if self.process else {}
        (self.work / "stack.json").write_text(json.dumps({"pids": pids}))


@contextmanager
def live_process(work: Path, status: int = 200) -> Iterator[LiveProcess]:
    """Start it, and end it whatever happens."""
    with answering(status) as (address, _):
        live = LiveProcess(address, work)
        try:
            yield live
        finally:
            live.end()


def until(seen: Any, within_s: float = 5.0) -> bool:
    """Wait for something, bounded; return whether it came."""
    deadline = time.monotonic() + within_s
    while not seen() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(seen())
