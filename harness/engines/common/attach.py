"""Rebuilds a LiveStack from what its engine wrote down, so that a fault can be healed by another process."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.engines.common.host_capabilities import Made
from tocsin.harness.engines.common.live_stack_base import AnothersRun, NoJournal
from tocsin.harness.engines.common.stack_state import NAME, places_of, read
from tocsin.harness.engines.guardian.guard_record import GUARD, Record
from tocsin.harness.engines.local.local_stack import LocalStack

_ELSEWHERE = {"compose": "tocsin.harness.engines.compose.attach", "external": "tocsin.harness.engines.external.engine"}


def attach(work: Path, *, record: Path | None = None) -> LiveStack:
    """Return the stack whose work folder this is, whoever brought it up; StackError if nothing tells how to reach it.

    Roles that run are taken over as they are, and go on when this process ends; so do those that it starts. `record`
    takes what is broken and healed from here, in place of the stack's own.
    """
    try:
        content = read(work)
        engine = str(content.get("engine", "local"))
        if engine in _ELSEWHERE:
            return cast(LiveStack, import_module(_ELSEWHERE[engine]).attach(work, content, record or work / GUARD))
        return _local(work, content, Record(record or work / GUARD))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"No stack can be reached through {work / NAME}: {type(error).__name__}: {error}.",
            hint="Its engine writes that file once the stack is started.",
        ) from None


def _local(work: Path, content: dict[str, Any], record: Record) -> LocalStack:
    folder = Path(content["folder"])
    if not (folder / "stack-logs").is_dir():  # the run directory is gone
        folder = work
        (folder / "stack-logs").mkdir(exist_ok=True)
    run = AnothersRun(id=content["run_id"], work=work, folder=folder)
    live = LocalStack(
        places=places_of(content, work), run=cast(Any, run), journal=cast(Any, NoJournal()), record=record
    )
    live.furnish(Made.read(content))
    for role, pid in content["pids"].items():
        live.adopt(role, int(pid), content["began"].get(role, ""))
    return live
