"""Reaches a compose stack from another process, by what its engine wrote down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from harness.clock import Clock, RunClock
from harness.engines.compose_stack import ComposeStack
from harness.engines.record import Record
from harness.engines.written import places_of


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What a stack asks of its run."""

    id: str
    work: Path
    folder: Path
    clock: Clock = field(default_factory=RunClock)


class _NoJournal:
    """Forgets: the journal belongs to the harness that brought the stack up."""

    def note(self, fact: str, **more: Any) -> None:
        """Do nothing."""


def attach(work: Path, content: Mapping[str, Any], record: Path) -> ComposeStack:
    """Return the stack that `content`, its stack.json, describes; KeyError or StackError if it cannot be reached."""
    run = _Run(id=str(content["run_id"]), work=work, folder=Path(str(content["folder"])))
    live = ComposeStack(
        places=places_of(content, work),
        run=cast(Any, run),
        journal=cast(Any, _NoJournal()),
        written=content["written"],
        record=Record(record),
    )
    live.take_over()
    return live
