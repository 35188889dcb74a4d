"""What a drill would leave behind if its command ended now: named for whoever presses Ctrl-C a second time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.harness.engines.common.run_folders import Run

ENDING = "Already ending, about 10 s: a stack that is up is healed and taken down. "
"""What a second signal is answered first."""
NOBODY = "A third signal leaves that to the guardian."


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
        return ENDING + NOBODY
    from tocsin.harness.engines.guardian.guard_record import GUARD_FILE, GuardRecord
    from tocsin.harness.engines.guardian.guardian import WITHIN_S
    from tocsin.harness.engines.guardian.takedown import ENGINE_S

    left, engine = GuardRecord(run.work / GUARD_FILE).unhealed(), _engine(run.work)
    faults = ", ".join(f"{one.name} ({one.kind or 'fault'})" for one in left)
    broken = f"not yet healed: {faults}" if faults else "no fault is unhealed"
    within_s = WITHIN_S + (ENGINE_S if engine == "compose" else 0.0)
    by = f"the guardian (pid {run.guard.process.pid}) within {within_s:g} s"
    if not engine:
        return f"{ENDING}No stack is up yet; a third signal leaves the folder {run.work} to {by}."
    if engine == "external":
        return f"{ENDING}The stack {_Now.stack} is not ours and stays. After a third signal, {broken}; undone by {by}."
    return (
        f"{ENDING}A third signal would leave behind the stack {_Now.stack}, which is up, and {broken}; "
        f"that is undone and taken down by {by}."
    )


def _engine(work: Path) -> str:
    """Return what the stack that is up runs on; empty while none is."""
    try:
        return str(json.loads((work / "stack.json").read_text(encoding="utf-8")).get("engine") or "local")
    except (OSError, ValueError, AttributeError):
        return ""
