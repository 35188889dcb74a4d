"""Finds and kills the processes of a run by the run id in their environment. Standard library only: the guardian."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

RUN_ID = "TOCSIN_RUN_ID"
"""The environment variable that every child of a run carries."""

_PROC = Path("/proc")
_AGAIN_S = 0.02


def pids_of_run(run_id: str) -> list[int]:
    """Return the pids whose environment holds this run id, without our own and without zombies.

    Only root sees processes of other users.
    """
    mark = f"{RUN_ID}={run_id}".encode()
    if _PROC.joinpath("self/environ").exists():
        return [pid for pid in _pids() if pid != os.getpid() and mark in _environment(pid)]
    return _pids_by_ps(mark.decode())


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir(_PROC) if name.isdigit())


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def _pids_by_ps(mark: str) -> list[int]:
    done = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(row[0]) for row in rows if mark in row[1:] and int(row[0]) != os.getpid()]


def send_signal(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    """Send a signal to a process, or to the group it leads; nothing happens when there is none."""
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_run(run_id: str, within_s: float, reap: Callable[[], None] = lambda: None) -> tuple[int, list[int]]:
    """SIGKILL every process of a run until none is left; return how many were killed, and the pids still there.

    `reap` is called after each round, for a caller that must collect its children.
    """
    deadline = time.monotonic() + within_s
    killed: set[int] = set()
    while pids := pids_of_run(run_id):
        for pid in pids:
            send_signal(pid, signal.SIGKILL)
        killed.update(pids)
        reap()
        if time.monotonic() > deadline:
            break
        time.sleep(_AGAIN_S)
    return len(killed), pids


def remove_folder(folder: Path, within_s: float = 2.0) -> bool:
    """Remove a folder, again while a process still writes into it; return whether it is gone."""
    deadline = time.monotonic() + within_s
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(_AGAIN_S)
        shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
