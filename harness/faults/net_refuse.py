"""Nobody listens at the far end of an edge."""

from __future__ import annotations

from typing import Any, ClassVar

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen
from tocsin.harness.faults.bases.fault import Params, State


class NetRefuseParams(EdgeParams):
    """`edge` whose connections are refused."""


class NetRefuse(EdgeFault):
    """Refuses new connections, and resets open ones."""

    kind: ClassVar[str] = "net_refuse"
    summary: ClassVar[str] = "Connections over an edge are refused."
    Params: ClassVar[type[Params]] = NetRefuseParams

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"mode": "refuse"}

    def judge(self, over: Seen, direct: Seen) -> State:
        """A refusal over the edge."""
        return {"refused": "present", "answered": "absent"}.get(over.how, "cannot_tell")  # type: ignore[return-value]
