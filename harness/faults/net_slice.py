"""What goes over an edge comes in small pieces with pauses between."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen, slowed
from tocsin.harness.faults.bases.fault import Params, State


class NetSliceParams(EdgeParams):
    """Pieces of `bytes` over `edge`, `gap_ms` apart."""

    bytes: int = Field(gt=0, le=4096)
    gap_ms: float = Field(ge=1, le=10_000)


class NetSlice(EdgeFault):
    """Cuts what passes into pieces; the witness compares the time of a padded request with one past the edge."""

    kind: ClassVar[str] = "net_slice"
    summary: ClassVar[str] = "What goes over an edge comes in small pieces."
    Params: ClassVar[type[Params]] = NetSliceParams
    padded: ClassVar[bool] = True

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"slice_bytes": self.params.bytes, "slice_ms": self.params.gap_ms}

    def judge(self, over: Seen, direct: Seen) -> State:
        """Slower by about the pauses between its pieces."""
        return slowed(over, direct, direct.size // self.params.bytes * self.params.gap_ms / 1000)
