"""Refuses new connections over an edge, as if nobody listened at its far end, and resets open ones."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.faults.bases.edge import EdgeFault


class NetRefuse(EdgeFault):
    """Connections over an edge are refused."""

    shows_as = "refused"

    def conditions(self) -> Mapping[str, object]:
        """Return that connections are refused."""
        return {"mode": "refuse"}
