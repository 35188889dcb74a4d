"""Breaks one thing on a stack of somebody else under a guardian of its own, and is killed at a point that is asked for.

`python -m tests.e2e.holder WORK FOLDER KIND PARAMS POINT`. WORK is the stack's work folder, FOLDER this holder's own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

POINTS = ("before guard", "guarded", "within inject", "injected", "within heal", "healed")
"""Where a holder may die: within means after the first thing that it has done to the stack."""
_EFFECTS = ("stop", "restart", "signal", "limit", "run_in", "spawn", "proxy", "repeat", "cease", "address", "disk")


class DyingStack:
    """The stack, and the end of this process after the first thing that is done to it once it is armed."""

    def __init__(self, live: Any) -> None:
        self._live, self.armed = live, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._live, name)
        if not self.armed or name not in _EFFECTS:
            return found

        def last(*args: Any, **more: Any) -> None:
            found(*args, **more)
            die()

        return last


def die() -> None:
    """End this process as the kernel ends one that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def hold(work: Path, folder: Path, kind: str, params: dict[str, Any], point: str) -> None:
    """Go as far as `point`, and die there; one that is never reached ends with an ordinary return."""
    from tocsin.harness import faults
    from tocsin.harness.engines.common.attach import attach
    from tocsin.harness.engines.guardian.launcher import Guardian

    record = folder / "guard.jsonl"
    Guardian.start(folder.name, work=work, folder=folder, record=record)
    live = DyingStack(attach(work, record=record))
    fault = faults.make(kind, params)
    if point == "before guard":
        die()
    live.guard(kind, kind=kind, params=params, outlives=False)
    if point == "guarded":
        die()
    live.armed = point == "within inject"
    fault.inject(live)
    if point in ("within inject", "injected"):
        die()
    live.armed = point == "within heal"
    fault.heal(live)
    die()


if __name__ == "__main__":
    hold(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4]), sys.argv[5])
