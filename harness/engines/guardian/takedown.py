"""Takes down what a dead run left up, whatever engine it was on. Standard library only: the guardian imports this."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tocsin.harness.engines.common import host_resources
from tocsin.harness.engines.kernel.run_processes import kill_carriers

ENGINE = "engine.json"
"""Written into the work folder before an engine brings anything up, by one whose stack is more than processes."""
ENGINE_S = 8.0
"""So long may an engine's own end take, before the processes are ended."""
QUIET_S = 0.5
"""Nobody of a run may have been seen for so long before all of it counts as gone."""
_AGAIN_S = 0.05
_DOWN = {"compose": "tocsin.harness.engines.compose.take_down"}


@dataclass(frozen=True, kw_only=True)
class TakenDown:
    """What came of it. `killed` counts processes; `left` holds a sentence for each thing that is still there."""

    killed: int = 0
    left: tuple[str, ...] = ()


def take_down(work: Path, run_id: str, within_s: float) -> TakenDown:
    """End the containers and the processes of a run, then take away what it made outside of them: mounts, groups.

    `within_s` is for the processes and the rest; containers have `ENGINE_S`. The work folder itself stays. What is gone
    already is passed over. Nothing that is met is raised.
    """
    left = _engine_down(work, run_id, ENGINE_S)
    deadline = time.monotonic() + within_s
    killed, alive = _end_all(run_id, within_s)
    left += [f"Process {pid} of run {run_id} still runs." for pid in alive]
    left += _taken_away(work, max(deadline - time.monotonic(), 1.0))
    return TakenDown(killed=killed, left=tuple(left))


def _end_all(run_id: str, within_s: float) -> tuple[int, list[int]]:
    """Kill until nobody has been seen for a while; return how many there were, and the pids still there.

    A child that was forked just before its parent was killed carries the run id only once it has become its program.
    """
    began = seen = time.monotonic()
    killed = 0
    while True:
        found, alive = kill_carriers(run_id, max(began + within_s - time.monotonic(), _AGAIN_S))
        killed, now = killed + found, time.monotonic()
        seen = now if found else seen
        if alive or now - seen >= QUIET_S or now - began > within_s:
            return killed, alive
        time.sleep(_AGAIN_S)


def _engine_down(work: Path, run_id: str, within_s: float) -> list[str]:
    """Ask the engine that wrote engine.json; nothing to do where there is none, or where processes are all of it."""
    try:
        written = json.loads((work / ENGINE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [f"{work / ENGINE} cannot be read: {error}."]
    name = written.get("engine") if isinstance(written, dict) else None
    if name not in _DOWN:
        return []
    try:
        return list(import_module(_DOWN[name]).take_down(written, run_id, within_s))
    except Exception as error:  # whatever it meets, the processes must still be ended
        return [f"The {name} stack of run {run_id} was not taken down: {type(error).__name__}: {error}."]


def _taken_away(work: Path, within_s: float) -> list[str]:
    try:
        return [f"{place} is left." for place in host_resources.take_away(work, within_s)]
    except Exception as error:  # a torn file, no umount, one that hangs: the folder must not be removed over a mount
        return [f"What {work.name} made outside its folder was not taken away: {type(error).__name__}: {error}."]
