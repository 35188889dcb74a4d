"""A process and its descendants: signals to all of them, and what the kernel says of them."""

from __future__ import annotations

from contextlib import suppress

import psutil

_MIB = 1024 * 1024


def family(pid: int | None) -> list[psutil.Process]:
    """Return a process and its descendants; empty when it is gone, or a zombie."""
    if pid is None:
        return []
    try:
        first = psutil.Process(pid)
        everyone = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [process for process in everyone if _state(process) not in ("", psutil.STATUS_ZOMBIE)]


def signal_all(pid: int | None, number: int) -> int:
    """Send a signal to all of a family; return how many got it."""
    got = 0
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            got += 1
    return got


def frozen(pid: int | None) -> tuple[int, int]:
    """Return (stopped, all) of a family, by the kernel's own state of each."""
    states = [state for process in family(pid) if (state := _state(process))]
    return states.count(psutil.STATUS_STOPPED), len(states)


def used(pid: int | None) -> dict[str, float]:
    """Return `memory_mib` (resident, summed), `open_files` (of the process that has most) and `began` of a family."""
    processes = family(pid)
    seen = {"memory_mib": 0.0, "open_files": 0.0}
    with suppress(psutil.Error, IndexError):
        seen["began"] = processes[0].create_time()
    for process in processes:
        with suppress(psutil.Error):
            seen["memory_mib"] += process.memory_info().rss / _MIB
            seen["open_files"] = max(seen["open_files"], float(process.num_fds()))
    return seen if processes else {}


def _state(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return ""
