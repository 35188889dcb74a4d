"""An edge becomes slow: every round trip takes longer."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen, slowed
from tocsin.harness.faults.bases.fault import Params, State

TIMES_OUT_MS = 400.0
"""A delay from which on a compressed scrape (half a second at 30 times the speed) is given up."""


class NetLatencyParams(EdgeParams):
    """`delay_ms` added to each round trip over `edge`, up to `jitter_ms` more or less."""

    delay_ms: float = Field(ge=10, le=60_000)
    jitter_ms: float = Field(default=0.0, ge=0, le=60_000)


class NetLatency(EdgeFault):
    """Delays what the caller says; the witness compares the time of a request with one past the edge."""

    kind: ClassVar[str] = "net_latency"
    summary: ClassVar[str] = "An edge becomes slow."
    Params: ClassVar[type[Params]] = NetLatencyParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come over the edge if calls over it time out."""
        return super().blinds(stack) if self.params.delay_ms >= TIMES_OUT_MS else ()

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"delay_ms": self.params.delay_ms, "jitter_ms": self.params.jitter_ms}

    def judge(self, over: Seen, direct: Seen) -> State:
        """Slower by about the delay."""
        return slowed(over, direct, max(self.params.delay_ms - self.params.jitter_ms, 10.0) / 1000)
