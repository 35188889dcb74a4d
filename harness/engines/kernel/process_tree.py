"""A process with its descendants: signals to all of them, and what they use."""

from __future__ import annotations

from contextlib import suppress

import psutil

_MIB = 1024 * 1024


def process_tree(pid: int | None) -> list[psutil.Process]:
    """Return a process and its descendants without zombies, itself first; empty when it has ended or for None."""
    if pid is None:
        return []
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [process for process in processes if _state(process) not in ("", psutil.STATUS_ZOMBIE)]


def signal_all(pid: int | None, number: int) -> int:
    """Send a signal to all processes of a tree; return how many got it."""
    count = 0
    for process in process_tree(pid):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            count += 1
    return count


def frozen(pid: int | None) -> tuple[int, int]:
    """Return (stopped, all) processes of a tree, by the kernel's state of each."""
    states = [_state(process) for process in process_tree(pid)]
    alive = [state for state in states if state]
    return alive.count(psutil.STATUS_STOPPED), len(alive)


def tree_usage(pid: int | None) -> dict[str, float]:
    """Return `memory_mib` (resident, summed), `open_files` (of the process with most) and `began` of a tree.

    `began` is the epoch second at which the first process started. Empty when no process is left.
    """
    processes = process_tree(pid)
    if not processes:
        return {}
    usage = {"memory_mib": 0.0, "open_files": 0.0}
    with suppress(psutil.Error):
        usage["began"] = processes[0].create_time()
    for process in processes:
        with suppress(psutil.Error):
            usage["memory_mib"] += process.memory_info().rss / _MIB
            usage["open_files"] = max(usage["open_files"], float(process.num_fds()))
    return usage


def _state(process: psutil.Process) -> str:
    """Return the kernel's state of a process, empty when it has ended."""
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return ""
