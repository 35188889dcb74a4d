"""Elasticsearch takes no more documents: its indices are blocked, as by a disk that is nearly full."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import blinded

ROLE = "elasticsearch"
_NO_SUCH = "tocsin-no-such-document"
_BLOCKED = {403, 429}


class ElasticsearchReadOnlyParams(Params):
    """`block`: `write` (403), or `read_only_allow_delete` (429), which Elasticsearch itself sets on a full disk."""

    block: Literal["write", "read_only_allow_delete"] = "write"


class ElasticsearchReadOnly:
    """Blocks every index through the settings API; the witness asks the log's indices to delete what is not there."""

    kind: ClassVar[str] = "elasticsearch_read_only"
    summary: ClassVar[str] = "Elasticsearch takes no more documents."
    Params: ClassVar[type[Params]] = ElasticsearchReadOnlyParams

    def __init__(self, params: ElasticsearchReadOnlyParams) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return Elasticsearch."""
        return (f"role:{ROLE}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return what being without Elasticsearch blinds: no log line comes out."""
        return blinded(ROLE, stack)

    def inject(self, live: LiveStack) -> None:
        """Set the block; StackError if Elasticsearch does not take it."""
        status, text = self._set(live, True)
        if status != 200:
            raise StackError(f"Elasticsearch answered {status} to a block of its indices: {text[:200]}")

    def heal(self, live: LiveStack) -> None:
        """Lift the block; StackError when Elasticsearch is up and does not, nothing to do when it is down."""
        try:
            status, text = self._set(live, None)
        except OSError as error:
            if live.alive(ROLE):
                raise HealError(f"Elasticsearch cannot be asked to lift its block: {error}.") from None
            return
        if status != 200:
            raise HealError(f"Elasticsearch answered {status} when asked to lift its block: {text[:200]}")

    def witness(self, live: LiveStack) -> Witness:
        """Ask each index of the logs to delete a document that is not there: all refuse is present, none is absent."""
        pattern = live.stack.signals.logs.index if live.stack.signals.logs else "*"
        status, text = call("GET", live.address(ROLE), f"/{pattern}/_alias")
        indices = sorted(json.loads(text)) if status == 200 else []
        if not indices:
            return Witness(state="cannot_tell", detail=f"there is no index {pattern} yet ({status})")
        told = [call("DELETE", live.address(ROLE), f"/{index}/_doc/{_NO_SUCH}")[0] for index in indices]
        detail = ", ".join(f"{index} answers {status}" for index, status in zip(indices, told, strict=True))
        blocked = [status in _BLOCKED for status in told]
        if all(blocked):
            return Witness(state="present", detail=detail)
        return Witness(state="cannot_tell" if any(blocked) else "absent", detail=detail)

    def _set(self, live: LiveStack, value: Any) -> tuple[int, str]:
        block = {f"index.blocks.{self.params.block}": value}
        return call("PUT", live.address(ROLE), "/_all/_settings", block)
