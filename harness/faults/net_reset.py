"""Every connection over an edge is reset."""

from __future__ import annotations

from typing import Any, ClassVar

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen
from tocsin.harness.faults.bases.fault import Params, State


class NetResetParams(EdgeParams):
    """`edge` whose connections are reset."""


class NetReset(EdgeFault):
    """Resets open connections and new ones."""

    kind: ClassVar[str] = "net_reset"
    summary: ClassVar[str] = "Every connection over an edge is reset."
    Params: ClassVar[type[Params]] = NetResetParams

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"mode": "reset"}

    def judge(self, over: Seen, direct: Seen) -> State:
        """A reset over the edge."""
        return {"reset": "present", "answered": "absent"}.get(over.how, "cannot_tell")  # type: ignore[return-value]
