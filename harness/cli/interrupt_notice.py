"""What a drill would leave behind if its command ended now: said on a second Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.harness.engines.common.run_folders import Run

ENDING = "Already ending, which takes about 10 s: faults are healed and the stack is taken down. "
"""How the answer to a second signal begins."""
GUARDIAN = "A third signal leaves that to the guardian."


class _Now:
    run: Run | None = None
    stack = ""


@contextmanager
def under_way(run: Run, stack: str) -> Iterator[None]:
    """Remember, while it is played, the drill that a signal would interrupt."""
    _Now.run, _Now.stack = run, stack
    try:
        yield
    finally:
        _Now.run = None


def sentence() -> str:
    """Return in one line what would be left behind, who undoes it and within what time; from the guard's record."""
    run = _Now.run
    if run is None or not run.work.is_dir():
        return ENDING + GUARDIAN
    from tocsin.harness.engines.guardian.guardian import WITHIN_S
    from tocsin.harness.engines.guardian.takedown import ENGINE_S

    engine = _engine(run.work)
    within_s = WITHIN_S + {"compose": ENGINE_S}.get(engine, 0.0)
    if not engine:
        state, work_left = "No stack is up yet.", f"removes the folder {run.work}"
    elif engine == "external":
        state, work_left = f"The stack {_Now.stack} is external and stays up; {_unhealed(run.work)}.", "heals"
    else:
        state, work_left = f"The stack {_Now.stack} is up; {_unhealed(run.work)}.", "heals and takes it down"
    guardian = f"the guardian (pid {run.guard.process.pid})"
    return f"{ENDING}{state} After a third signal, {guardian} {work_left} within {within_s:g} s."


def _unhealed(work: Path) -> str:
    from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord

    faults = [f"{fault.name} ({fault.kind or 'fault'})" for fault in GuardRecord(work / GUARD_FILE).unhealed()]
    if not faults:
        return "no fault is unhealed"
    return f"not yet healed: {', '.join(faults)}"


def _engine(work: Path) -> str:
    """Return what the stack that is up runs on; empty while none is."""
    try:
        return str(json.loads((work / "stack.json").read_text(encoding="utf-8")).get("engine") or "local")
    except (OSError, ValueError, AttributeError):
        return ""
