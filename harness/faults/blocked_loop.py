"""Blocks the event loop of the service through its hook; meanwhile it answers nobody, no scraper either."""

from __future__ import annotations

import time

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, absent, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.faults.bases.role import health

_SLOW = 0.5


class BlockedLoopParams(Params):
    """Blocked for `block_ms`, then free for `every_ms`, in turns, in wall time: no speed divides it."""

    block_ms: float = Field(ge=20, le=2000)
    every_ms: float = Field(default=1000, ge=100, le=2000)
    example = {"block_ms": 200}


class BlockedLoop(HookFault):
    """The event loop of the service is blocked again and again."""

    params: BlockedLoopParams

    def witness(self, live: LiveStack) -> Witness:
        """Time health requests for a turn and a half: one that takes half of the block shows the fault."""
        slowest_ms, role = 0.0, self.role(live.stack)
        until = time.perf_counter() + 1.5 * (self.params.block_ms + self.params.every_ms) / 1000
        while (began := time.perf_counter()) < until:
            if health(live, role).state != "absent":
                return cannot_tell(f"{role} does not answer its health path with 200")
            slowest_ms = max(slowest_ms, 1000 * (time.perf_counter() - began))
            if slowest_ms >= _SLOW * self.params.block_ms:
                return present(f"one health request took {slowest_ms:.0f} ms")
        return absent(f"the slowest health request took {slowest_ms:.0f} ms")
