"""Watches the event loop: prediction latency is measured inside it and does not show that it stands still."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from service.inference import Parts

LOOK_EVERY_S = 0.05
LEAST_S = 0.05
"""What is later than this kept requests waiting; less is the ordinary turn of others."""
SCHEDSTAT = Path("/proc/thread-self/schedstat")


def starved_s(path: Path = SCHEDSTAT) -> float:
    """Return how long this thread has waited for a processor so far; 0 where the kernel does not report it.

    The second of three numbers in schedstat, in nanoseconds: Documentation/scheduler/sched-stats.rst of Linux.
    """
    try:
        return int(path.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


async def keep_watch(parts: Parts) -> None:
    """Sleep in short turns and export how much later than due each one ended.

    The time for which the machine had no processor for this thread is not the loop's, and not counted.
    """
    while True:
        due, starved = time.monotonic() + LOOK_EVERY_S, starved_s()
        await asyncio.sleep(LOOK_EVERY_S)
        late_s = time.monotonic() - due
        if late_s < LEAST_S:  # most turns: the kernel's file is not read
            continue
        late_s -= starved_s() - starved
        if late_s >= LEAST_S:
            parts.metrics.loop_blocked.inc(late_s)
