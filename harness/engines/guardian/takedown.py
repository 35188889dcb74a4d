"""Takes down what a dead run left running, on any engine. Standard library only: the guardian imports this."""

from __future__ import annotations

import json
import time
from importlib import import_module
from pathlib import Path

from tocsin.harness.engines.common import host_cleanup
from tocsin.harness.engines.kernel.run_processes import kill_run

ENGINE = "engine.json"
"""The file in the work folder that says what an engine starts besides processes; written before it starts anything."""
ENGINE_S = 8.0
"""Time budget for an engine's own removal, before processes are killed."""
QUIET_S = 0.5
"""A run counts as gone when none of its processes was seen for so long."""
_AGAIN_S = 0.05
_REMOVAL = {"compose": "tocsin.harness.engines.compose.removal"}


def take_down(work: Path, run_id: str, within_s: float) -> tuple[int, list[str]]:
    """Remove a run's containers, kill its processes, then remove its mounts and control groups; never raises.

    Returns how many processes were killed, and a sentence for each thing that is left.
    `within_s` bounds all but the containers, which have `ENGINE_S`. The work folder itself stays.
    """
    left = _remove_containers(work, run_id, ENGINE_S)
    deadline = time.monotonic() + within_s
    killed, alive = _kill_all(run_id, within_s)
    left += [f"Process {pid} of run {run_id} still runs." for pid in alive]
    left += _remove_host_resources(work, max(deadline - time.monotonic(), 1.0))
    return killed, left


def _kill_all(run_id: str, within_s: float) -> tuple[int, list[int]]:
    """Kill until no process was seen for a while; return how many were killed, and the pids still there.

    A child that was forked just before its parent was killed carries the run id only after its exec.
    """
    began = last_seen = time.monotonic()
    killed = 0
    while True:
        count, alive = kill_run(run_id, max(began + within_s - time.monotonic(), _AGAIN_S))
        now = time.monotonic()
        killed += count
        if count:
            last_seen = now
        if alive or now - last_seen >= QUIET_S or now - began > within_s:
            return killed, alive
        time.sleep(_AGAIN_S)


def _remove_containers(work: Path, run_id: str, within_s: float) -> list[str]:
    """Let the engine that engine.json names remove its own; does nothing for an engine of processes only."""
    try:
        content = json.loads((work / ENGINE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [f"{work / ENGINE} cannot be read: {error}."]
    engine = content.get("engine") if isinstance(content, dict) else None
    if engine not in _REMOVAL:
        return []
    try:
        return list(import_module(_REMOVAL[engine]).take_down(content, run_id, within_s))
    except Exception as error:  # whatever it is, the processes must still be killed
        return [f"The {engine} stack of run {run_id} was not taken down: {type(error).__name__}: {error}."]


def _remove_host_resources(work: Path, within_s: float) -> list[str]:
    try:
        return [f"{path} is left." for path in host_cleanup.take_away(work, within_s)]
    except Exception as error:  # whatever it is, the folder must not be removed while something is mounted in it
        return [f"Mounts and control groups of {work.name} were not removed: {type(error).__name__}: {error}."]
