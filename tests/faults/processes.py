"""A stack whose one role is a real process, for faults that work on processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.faults.fake_live import FakeLive, answering
from tocsin.harness.engines.kernel import open_files, process_tree

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


class LiveProcess(FakeLive):
    """`model` is a process that sleeps; its address answers 200."""

    def __init__(self, at: str, work: Path) -> None:
        super().__init__(at)
        self.work, self.run_id = work, f"test-{os.getpid()}-{time.monotonic_ns()}"
        self.process: subprocess.Popen[bytes] | None = None
        self.began = 0.0
        self.spawned: list[subprocess.Popen[bytes]] = []
        self.restart("model")

    def restart(self, role: str, *, wait: bool = True) -> None:
        for _ in range(1000):  # the kernel dates a process to 10 ms; a role's successor does not begin within the same
            self.process = subprocess.Popen(SLEEP)
            began = psutil.Process(self.process.pid).create_time()
            if began != self.began:
                self.began = began
                return
            self.stop(role, kill=True)
        raise AssertionError("time stands still")

    def stop(self, role: str, *, kill: bool = False) -> None:
        if self.process:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait()
        self.process = None

    def alive(self, role: str) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.alive("model") else None

    def signal(self, role: str, number: int) -> int:
        return process_tree.signal_all(self.pid, number)

    def frozen(self, role: str) -> tuple[int, int]:
        return process_tree.frozen(self.pid)

    def usage(self, role: str) -> Mapping[str, float]:
        return {**process_tree.tree_usage(self.pid), **open_files.lowest_limit(self.pid)}

    def limit(self, role: str, **limits: float) -> None:
        if "open_files" in limits:
            open_files.lower(self.work, role, self.pid, int(limits["open_files"]))
        else:
            open_files.restore(self.work, role, self.pid)

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(list(argv), env={**os.environ, "TOCSIN_RUN_ID": self.run_id})
        self.spawned.append(process)
        return process

    def end(self) -> None:
        for process in [*self.spawned, *([self.process] if self.process else [])]:
            process.kill()
            process.wait()


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
