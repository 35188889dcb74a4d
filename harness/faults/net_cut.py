"""Connections over an edge end in the middle of an answer."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams, Seen
from tocsin.harness.faults.bases.fault import Params, State


class NetCutParams(EdgeParams):
    """`after_bytes` of an answer over `edge` its connection is closed; the witness knows answers of a hundred bytes."""

    after_bytes: int = Field(gt=0, le=64)


class NetCut(EdgeFault):
    """Closes each connection after a few bytes of the answer."""

    kind: ClassVar[str] = "net_cut"
    summary: ClassVar[str] = "Connections over an edge end in the middle of an answer."
    Params: ClassVar[type[Params]] = NetCutParams

    def conditions(self) -> dict[str, Any]:
        """Return what the proxy is told."""
        return {"close_after_bytes": self.params.after_bytes}

    def judge(self, over: Seen, direct: Seen) -> State:
        """An answer that breaks off."""
        if over.how == "cut" or (over.how == "answered" and over.size <= self.params.after_bytes < direct.size):
            return "present"
        return "absent" if over.how == "answered" else "cannot_tell"
