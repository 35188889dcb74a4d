"""Lets bytes over an edge slowly; the witness compares the time of a padded request with one past the edge."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.declarations.fault_contract import State
from tocsin.harness.declarations.stack_interface import EdgeReply
from tocsin.harness.faults.bases.edge import PADDING, EdgeFault, EdgeParams, slowed


class NetBandwidthParams(EdgeParams):
    """`bytes_per_s` that pass over `edge` each way of a connection; above 100 000 no small request would show it."""

    bytes_per_s: int = Field(gt=0, le=100_000)
    example = {"edge": "prometheus -> model", "bytes_per_s": 1000}


class NetBandwidth(EdgeFault):
    """An edge becomes narrow."""

    params: NetBandwidthParams
    padding = PADDING

    def conditions(self) -> Mapping[str, object]:
        """Return the rate at which bytes pass."""
        return {"bytes_per_s": self.params.bytes_per_s}

    def judge(self, over: EdgeReply, direct: EdgeReply) -> State:
        """Slower by about the time its bytes take."""
        return slowed(over, direct, direct.size / self.params.bytes_per_s)
