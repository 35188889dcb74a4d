"""Closes each connection over an edge after a few bytes of the answer."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.declarations.fault_contract import State
from tocsin.harness.declarations.stack_interface import EdgeReply
from tocsin.harness.faults.bases.edge import EdgeFault, EdgeParams


class NetCutParams(EdgeParams):
    """`after_bytes` of an answer over `edge` its connection is closed; the witness knows answers of a hundred bytes."""

    after_bytes: int = Field(gt=0, le=64)
    example = {"edge": "prometheus -> model", "after_bytes": 20}


class NetCut(EdgeFault):
    """Connections over an edge end in the middle of an answer."""

    params: NetCutParams

    def conditions(self) -> Mapping[str, object]:
        """Return after how many bytes connections are closed."""
        return {"close_after_bytes": self.params.after_bytes}

    def judge(self, over: EdgeReply, direct: EdgeReply) -> State:
        """An answer that breaks off."""
        if over.how == "cut" or (over.how == "answered" and over.size <= self.params.after_bytes < direct.size):
            return "present"
        return "absent" if over.how == "answered" else "cannot_tell"
