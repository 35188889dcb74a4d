"""Cuts what passes over an edge into pieces with pauses between; the witness times a padded request."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.declarations.fault_contract import State
from tocsin.harness.declarations.stack_interface import EdgeReply
from tocsin.harness.faults.bases.edge import PADDING, EdgeFault, EdgeParams, slowed


class NetSliceParams(EdgeParams):
    """Pieces of `bytes` over `edge`, `gap_ms` apart."""

    bytes: int = Field(gt=0, le=4096)
    gap_ms: float = Field(ge=1, le=10_000)
    example = {"edge": "prometheus -> model", "bytes": 100, "gap_ms": 10}


class NetSlice(EdgeFault):
    """What goes over an edge comes in small pieces."""

    params: NetSliceParams
    padding = PADDING

    def conditions(self) -> Mapping[str, object]:
        """Return the size of the pieces, and the pauses."""
        return {"slice_bytes": self.params.bytes, "slice_ms": self.params.gap_ms}

    def judge(self, over: EdgeReply, direct: EdgeReply) -> State:
        """Slower by about the pauses between its pieces."""
        return slowed(over, direct, direct.size // self.params.bytes * self.params.gap_ms / 1000)
