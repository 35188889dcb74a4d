"""Blocks the indices of Elasticsearch, as it does itself on a disk that is nearly full."""

from __future__ import annotations

import json
from typing import Literal

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.fault_contract import Fault, Params, Witness, cannot_tell, witness_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import blinded

ROLE = "elasticsearch"
_NO_SUCH = "tocsin-no-such-document"
_BLOCKED = {403, 429}


class ElasticsearchReadOnlyParams(Params):
    """`block`: `write` (403), or `read_only_allow_delete` (429), which Elasticsearch itself sets on a full disk."""

    block: Literal["write", "read_only_allow_delete"] = "write"


class ElasticsearchReadOnly(Fault):
    """Elasticsearch takes no more documents."""

    params: ElasticsearchReadOnlyParams

    def needs(self) -> tuple[str, ...]:
        """Return Elasticsearch."""
        return (f"role:{ROLE}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return what being without Elasticsearch blinds: no log line comes out."""
        return blinded(ROLE, stack)

    def inject(self, live: LiveStack) -> None:
        """Set the block; StackError if Elasticsearch does not take it."""
        status, text = self._set_block(live, True)
        if status != 200:
            raise StackError(f"Elasticsearch answered {status} to a block of its indices: {text[:200]}")

    def heal(self, live: LiveStack) -> None:
        """Lift the block; HealError when Elasticsearch is up and does not, nothing to do when it is down."""
        try:
            status, text = self._set_block(live, None)
        except OSError as error:
            if live.alive(ROLE):
                raise HealError(f"Elasticsearch cannot be asked to lift its block: {error}.") from None
            return
        if status != 200:
            raise HealError(f"Elasticsearch answered {status} when asked to lift its block: {text[:200]}")

    def witness(self, live: LiveStack) -> Witness:
        """Ask each index of the logs to delete a document that is not there: all refuse is present, none is absent."""
        logs = live.stack.signals.logs
        pattern = "*" if logs is None else logs.index
        address = live.address(ROLE)
        status, text = call("GET", address, f"/{pattern}/_alias")
        indices = sorted(json.loads(text)) if status == 200 else []
        if not indices:
            return cannot_tell(f"there is no index {pattern} yet ({status})")
        statuses = {index: call("DELETE", address, f"/{index}/_doc/{_NO_SUCH}")[0] for index in indices}
        detail = ", ".join(f"{index} answers {status}" for index, status in statuses.items())
        answers = set(statuses.values())
        return witness_of(detail, shown=answers <= _BLOCKED, well=answers.isdisjoint(_BLOCKED))

    def _set_block(self, live: LiveStack, value: bool | None) -> tuple[int, str]:
        """Set the block of every index, None to lift it; return status and text."""
        return call("PUT", live.address(ROLE), "/_all/_settings", body={f"index.blocks.{self.params.block}": value})
