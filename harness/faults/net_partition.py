"""Holds the data on an edge until the heal, like packets that are sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams


class NetPartitionParams(EdgeParams):
    """`way` over `edge` that is lost: `to` the role, `from` it, or `both`."""

    way: Literal["to", "from", "both"] = "both"
    example = {"edge": "shipper -> elasticsearch"}


class NetPartition(EdgeFault):
    """Nothing comes over an edge any more."""

    params: NetPartitionParams
    shows_as = "silent"

    def conditions(self) -> Mapping[str, object]:
        """Return which way is held."""
        return {"hold": self.params.way}
