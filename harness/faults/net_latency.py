"""Delays the caller's data on an edge; the witness compares the time of a request with one past the edge."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.declarations.fault_contract import State
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import EdgeReply
from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, slowed

TIMES_OUT_MS = 400.0
"""A delay from which on a compressed scrape (half a second at 30 times the speed) is given up."""


class NetLatencyParams(EdgeParams):
    """`delay_ms` added to each round trip over `edge`, up to `jitter_ms` more or less."""

    delay_ms: float = Field(ge=10, le=60_000)
    jitter_ms: float = Field(default=0.0, ge=0, le=60_000)
    example = {"edge": "prometheus -> model", "delay_ms": 500}


class NetLatency(EdgeFault):
    """An edge becomes slow."""

    params: NetLatencyParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come over the edge if calls over it time out."""
        return super().blinds(stack) if self.params.delay_ms >= TIMES_OUT_MS else ()

    def conditions(self) -> Mapping[str, object]:
        """Return the delay of each round trip."""
        return {"delay_ms": self.params.delay_ms, "jitter_ms": self.params.jitter_ms}

    def judge(self, over: EdgeReply, direct: EdgeReply) -> State:
        """Slower by about the delay."""
        return slowed(over, direct, max(self.params.delay_ms - self.params.jitter_ms, 10.0) / 1000)
