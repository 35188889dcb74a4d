"""An edge becomes narrow: so many bytes per second pass in each direction."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen, slowed
from tocsin.harness.faults.bases.fault import Params, State


class NetBandwidthParams(EdgeParams):
    """`bytes_per_s` that pass over `edge` each way of a connection; above 100 000 no small request would show it."""

    bytes_per_s: int = Field(gt=0, le=100_000)


class NetBandwidth(EdgeFault):
    """Lets bytes through slowly; the witness compares the time of a padded request with one past the edge."""

    kind: ClassVar[str] = "net_bandwidth"
    summary: ClassVar[str] = "An edge becomes narrow."
    Params: ClassVar[type[Params]] = NetBandwidthParams
    padded: ClassVar[bool] = True

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"bytes_per_s": self.params.bytes_per_s}

    def judge(self, over: Seen, direct: Seen) -> State:
        """Slower by about the time its bytes take."""
        return slowed(over, direct, direct.size / self.params.bytes_per_s)
