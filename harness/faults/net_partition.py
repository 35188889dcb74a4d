"""Nothing comes over an edge any more, and nobody is told."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen
from tocsin.harness.faults.bases.fault import Params, State


class NetPartitionParams(EdgeParams):
    """`way` over `edge` that is lost: `to` the role, `from` it, or `both`."""

    way: Literal["to", "from", "both"] = "both"


class NetPartition(EdgeFault):
    """Holds what is said over an edge until it is healed, as a network holds packets that are sent again."""

    kind: ClassVar[str] = "net_partition"
    summary: ClassVar[str] = "Nothing comes over an edge any more."
    Params: ClassVar[type[Params]] = NetPartitionParams

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"hold": self.params.way}

    def judge(self, over: Seen, direct: Seen) -> State:
        """Silence over the edge."""
        return {"silent": "present", "answered": "absent"}.get(over.how, "cannot_tell")  # type: ignore[return-value]
