"""Faults of the service's process: a blocked event loop, memory that grows, a clock that is off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.faults.base import Fault, Parameter, number

if TYPE_CHECKING:
    from service.inference import Parts

_MIB = 1 << 20
_GROW_EVERY_S = 0.1


class _Again(Fault):
    """Something done on the event loop again and again, `wait_s` after it was done."""

    wait_s = 0.0
    _due: asyncio.TimerHandle | None = None

    def begin(self, parts: Parts) -> None:
        """Do it for the first time after `wait_s`."""
        self._due = asyncio.get_running_loop().call_later(self.wait_s, self._turn)

    def end(self, parts: Parts) -> None:
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

    parameters: Mapping[str, Parameter] = {"block_ms": number(0, 2000), "every_ms": number(50, 2000)}

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.wait_s = self.given["every_ms"] / 1000

    def do(self) -> None:
        """Block."""
        time.sleep(self.given["block_ms"] / 1000)


class MemoryLeak(_Again):
    """Memory grows by `mib_per_s` up to `most_mib`, and is given back at the end."""

    parameters: Mapping[str, Parameter] = {"mib_per_s": number(0, 1024), "most_mib": number(0, 1024)}
    wait_s = _GROW_EVERY_S

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self._began = time.monotonic()
        self._kept: list[bytearray] = []

    def do(self) -> None:
        """Take what is due by now; every page is written to, so that it counts as resident."""
        age_s = time.monotonic() - self._began
        due = min(age_s * self.given["mib_per_s"], self.given["most_mib"])
        while len(self._kept) + 1 <= due:
            self._kept.append(bytearray(b"x") * _MIB)

    def end(self, parts: Parts) -> None:
        """Stop, and give it back."""
        super().end(parts)
        self._kept.clear()

    def state(self) -> dict[str, Any]:
        """Return the parameters, and how much is held."""
        return {**self.given, "held_mib": len(self._kept)}


class ClockOffset(Fault):
    """The service's wall clock is off by `offset_s`. The machine's clock is never touched."""

    parameters: Mapping[str, Parameter] = {"offset_s": number(-1e6, 1e6)}

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.offset_s = self.given["offset_s"]
