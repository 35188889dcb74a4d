"""record: `run.json`, written when a run begins and again when it ends, so that even a killed run can be judged."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tocsin
from tocsin.harness.declarations.scenario import Scenario, Timeline
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.render.stack_files import keep_copy
from tocsin.harness.evidence.evidence import SCHEMA
from tocsin.harness.planning import locust_user_file
from tocsin.harness.traffic import payloads

LIBRARIES = ("locust", "numpy", "elasticsearch", "prometheus-api-client", "fastapi", "uvicorn", "pydantic")


def describe(timeline: Timeline, run: Any, command: Sequence[str]) -> dict[str, Any]:
    """Return the content of run.json at the start of a run; `outcome` is `running` until `finish`."""
    return {
        "schema": SCHEMA,
        "run_id": run.id,
        "scenario": timeline.scenario.model_dump(mode="json", by_alias=True),
        "stack": timeline.stack.name,
        "stack_folder": timeline.stack.folder.name,
        "seed": timeline.seed,
        "speed": timeline.speed,
        "signals": timeline.stack.signals.model_dump(mode="json", by_alias=True),
        "jobs": dict(timeline.stack.signals.jobs),
        "scrape_interval_s": timeline.scrape_interval_s,
        "evaluation_interval_s": timeline.evaluation_interval_s,
        "group_interval_s": timeline.group_interval_s,
        "fixed_s": {name: role.fixed_s for name, role in timeline.stack.roles.items()},
        "features": list(timeline.stack.payload.features),
        "payload_role": timeline.stack.payload.role,
        "scales": timeline.stack.scales.model_dump(mode="json"),
        "kinds": payloads.declarations(timeline.stack.payload.answers),
        "alerts": [dataclasses.asdict(rule) for rule in timeline.alerts],
        "phases": [_phase(phase) for phase in timeline.phases],
        "faults": [dataclasses.asdict(fault) for fault in timeline.faults],
        "floors": [{**dataclasses.asdict(floor), "total_s": floor.total_s} for floor in timeline.floors],
        "warnings": list(timeline.warnings),
        "versions": versions(run.programs),
        "git": git_head(timeline.stack.folder),
        "command": list(command),
        "started_at": _iso(run.clock.now()),
        "clock": {"wall": run.clock.now(), "speed": timeline.speed},
        "outcome": "running",
        "exit_code": 2,
    }


def keep_original(stack: Stack, folder: Path) -> None:
    """Copy the monitoring's own configuration, as it is before times are divided, into `config/original`."""
    for declared in filter(None, (stack.prometheus, stack.alertmanager)):
        source = (stack.folder / declared).parent
        if source != stack.folder:  # a stack's own folder holds more than configuration
            keep_copy(source, folder / "config" / "original" / source.relative_to(stack.folder))


def keep_users(scenario: Scenario, folder: Path) -> None:
    """Copy a scenario's users of one's own into `config/users`."""
    own = locust_user_file.split(scenario.traffic.users, scenario.folder)
    if own is not None:
        (folder / "config" / "users").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own[0], folder / "config" / "users" / own[0].name)


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write run.json whole or not at all."""
    path = folder / "run.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    draft.replace(path)


def finish(content: dict[str, Any], run: Any, outcome: str, exit_code: int) -> None:
    """Complete run.json with how the run ended; `exit_code` is what the way it ended alone would mean."""
    content |= {"outcome": outcome, "exit_code": exit_code, "finished_at": _iso(run.clock.now())}
    write(run.folder, content)


def versions(programs: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of everything that took part."""
    found = {"tocsin": tocsin.__version__, "python": platform.python_version(), "system": platform.platform()}
    found |= {name: program.version for name, program in programs.items()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_head(folder: Path) -> dict[str, Any] | None:
    """Return the commit and dirty flag of the repository that holds `folder`, or None."""
    if not shutil.which("git"):
        return None

    def ask(*argv: str) -> str | None:
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *argv],
                capture_output=True,
                text=True,
                timeout=10,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    head = ask("rev-parse", "HEAD")
    return {"head": head, "dirty": bool(ask("status", "--porcelain"))} if head else None


def _phase(phase: Any) -> dict[str, Any]:
    return {
        "name": phase.name,
        "start_s": phase.start_s,
        "end_s": phase.end_s,
        "traffic": phase.traffic.model_dump(mode="json"),
        "asked": phase.paced.asked.model_dump(mode="json"),
        "payload": dict(phase.payload),
    }


def _iso(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).isoformat(timespec="milliseconds")
