"""Faults of the service's process: a blocked event loop, memory that grows, a clock that is off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from service.faults.base import Fault
from service.requestlog import RequestLog

_MIB = 1 << 20
_GROW_EVERY_S = 0.1


class _Again(Fault):
    """Something done on the event loop again and again, `wait_s` after it was done."""

    wait_s = 0.0
    _due: asyncio.TimerHandle | None = None

    def begin(self, log: RequestLog) -> None:
        """Do it for the first time after `wait_s`."""
        self._due = asyncio.get_running_loop().call_later(self.wait_s, self._turn)

    def end(self, log: RequestLog) -> None:
        """Stop doing it."""
        if self._due is not None:
            self._due.cancel()

    def _turn(self) -> None:
        self.do()
        self._due = asyncio.get_running_loop().call_later(self.wait_s, self._turn)

    def do(self) -> None:
        """Do it once."""


class BlockedLoop(_Again):
    """The event loop is blocked for `block_ms`, then free for `every_ms`, in turns. Nothing is answered meanwhile."""

    numbers = {"block_ms": (0, 2000), "every_ms": (50, 2000)}

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self.wait_s = self.number["every_ms"] / 1000

    def do(self) -> None:
        """Block."""
        time.sleep(self.number["block_ms"] / 1000)


class MemoryLeak(_Again):
    """Memory grows by `mib_per_s` up to `most_mib`, and is given back at the end."""

    numbers = {"mib_per_s": (0, 1024), "most_mib": (0, 1024)}
    wait_s = _GROW_EVERY_S

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self._began = time.monotonic()
        self._kept: list[bytearray] = []

    def do(self) -> None:
        """Take what is due by now; every page is written to, so that it counts as resident."""
        age_s = time.monotonic() - self._began
        due = min(age_s * self.number["mib_per_s"], self.number["most_mib"])
        while len(self._kept) + 1 <= due:
            self._kept.append(bytearray(b"x") * _MIB)

    def end(self, log: RequestLog) -> None:
        """Stop, and give it back."""
        super().end(log)
        self._kept.clear()

    def state(self) -> dict[str, object]:
        """Return the parameters, and how much is held."""
        return {**self.number, "held_mib": len(self._kept)}


class ClockOffset(Fault):
    """The service's wall clock is off by `offset_s`. The machine's clock is never touched."""

    numbers = {"offset_s": (-1e6, 1e6)}

    def __init__(self, given: Mapping[str, object]) -> None:
        super().__init__(given)
        self.offset_s = self.number["offset_s"]
