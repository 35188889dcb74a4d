"""Reaches a compose stack from another process, by what its engine wrote down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from tocsin.harness.engines.common.live_stack_base import AnothersRun, NoJournal
from tocsin.harness.engines.common.stack_state import places_of
from tocsin.harness.engines.compose.compose_stack import ComposeStack
from tocsin.harness.engines.guardian.guard_record import Record


def attach(work: Path, content: Mapping[str, Any], record: Path) -> ComposeStack:
    """Return the stack that `content`, its stack.json, describes; KeyError or StackError if it cannot be reached."""
    run = AnothersRun(id=str(content["run_id"]), work=work, folder=Path(str(content["folder"])))
    live = ComposeStack(
        places=places_of(content, work),
        run=cast(Any, run),
        journal=cast(Any, NoJournal()),
        written=content["written"],
        record=Record(record),
    )
    live.take_over()
    return live
