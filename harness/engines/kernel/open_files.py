"""Lowers and restores the soft limit on open files (`RLIMIT_NOFILE`) of a role's running processes.

The limits before are written into the work folder first, so that another process can restore them.
"""

from __future__ import annotations

import json
import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel.process_tree import process_tree

_ROW = "Max open files"
_SET_S = 5.0


def can_limit() -> bool:
    """Return whether this system can limit a running process (Linux; one's own, or any as root)."""
    return hasattr(resource, "prlimit")


def lower(work: Path, role: str, pid: int | None, files: int) -> None:
    """Lower the soft limit of all processes of a role to `files`; StackError if none runs."""
    processes = process_tree(pid)
    if not processes:
        raise StackError(f"Role {role!r} does not run, so its open files cannot be limited.")
    file = _file(work, role)
    limits_before = _read(file)
    for process in processes:
        limits_before.setdefault(_key(process), list(_limits(process)))
    file.write_text(json.dumps(limits_before), encoding="utf-8")
    for process in processes:
        _set(process, files, limits_before[_key(process)][1])


def restore(work: Path, role: str, pid: int | None) -> None:
    """Restore the limits of a role's processes; does nothing where they were never lowered."""
    file = _file(work, role)
    limits_before = _read(file)
    if limits_before:
        for process in process_tree(pid):
            with suppress(psutil.NoSuchProcess, KeyError):
                soft, hard = limits_before[_key(process)]
                _set(process, soft, hard)
    file.unlink(missing_ok=True)


def lowest_limit(pid: int | None) -> dict[str, float]:
    """Return `open_files_limit`, the lowest soft limit of a process tree; empty where it cannot be known."""
    if not can_limit():
        return {}
    limits = []
    for process in process_tree(pid):
        with suppress(psutil.Error):
            limits.append(float(_limits(process)[0]))
    return {"open_files_limit": min(limits)} if limits else {}


def _limits(process: psutil.Process) -> tuple[int, int]:
    """Return (soft, hard) of a process, which anybody may read; -1 for no limit. NoSuchProcess if it has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii").splitlines()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    row = next(line for line in lines if line.startswith(_ROW))
    soft, hard = row.removeprefix(_ROW).replace("unlimited", "-1").split()[:2]
    return int(soft), int(hard)


def _set(process: psutil.Process, soft: int, hard: int) -> None:
    """Set the limits of a process; as its own user where root lacks CAP_SYS_RESOURCE."""
    try:
        process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
        return
    except psutil.AccessDenied:
        limits = f"{soft}:{hard}".replace("-1", "unlimited")
    argv = ["prlimit", f"--pid={process.pid}", f"--nofile={limits}"]
    try:
        user, group = process.uids().real, process.gids().real
        subprocess.run(argv, user=user, group=group, extra_groups=[], check=True, capture_output=True, timeout=_SET_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"The open files of process {process.pid} cannot be limited: {error}.") from None


def _file(work: Path, role: str) -> Path:
    return work / f"open-files-{role}.json"


def _key(process: psutil.Process) -> str:
    return f"{process.pid} {process.create_time()}"


def _read(file: Path) -> dict[str, list[int]]:
    """Return `pid start-time` -> [soft, hard]; empty when nothing was written down."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except OSError:
        return {}
