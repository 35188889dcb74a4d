"""Resets the open connections over an edge, and new ones."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.harness.faults.bases.edge import EdgeFault


class NetReset(EdgeFault):
    """Every connection over an edge is reset."""

    shows_as = "reset"

    def conditions(self) -> Mapping[str, object]:
        """Return that connections are reset."""
        return {"mode": "reset"}
