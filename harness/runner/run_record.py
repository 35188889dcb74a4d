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

import tocsin
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import PlannedFault, PlannedPhase, Timeline
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.render.stack_files import keep_copy
from tocsin.harness.evidence.run_json import SCHEMA
from tocsin.harness.planning import locust_user_file
from tocsin.harness.provisioning.program_lookup import Program
from tocsin.harness.traffic import payloads

LIBRARIES = ("locust", "numpy", "elasticsearch", "prometheus-api-client", "fastapi", "uvicorn", "pydantic")


def describe(timeline: Timeline, run: Run, command: Sequence[str]) -> dict[str, object]:
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
        "faults": [_fault(fault) for fault in timeline.faults],
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
    """Copy the file of a scenario's own Locust users into `config/users`."""
    own = locust_user_file.split(scenario.traffic.users, scenario.folder)
    if own is not None:
        (folder / "config" / "users").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own[0], folder / "config" / "users" / own[0].name)


def write(folder: Path, content: Mapping[str, object]) -> None:
    """Write run.json, completely or not at all."""
    path = folder / "run.json"
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    draft.replace(path)


def finish(content: dict[str, object], run: Run, outcome: str, exit_code: int) -> None:
    """Complete run.json with how the run ended; `exit_code` says what the outcome alone means."""
    content |= {"outcome": outcome, "exit_code": exit_code, "finished_at": _iso(run.clock.now())}
    write(run.folder, content)


def versions(programs: Mapping[str, Program]) -> dict[str, str]:
    """Return the versions of everything that took part."""
    known = {"tocsin": tocsin.__version__, "python": platform.python_version(), "system": platform.platform()}
    known |= {name: program.version for name, program in programs.items()}
    for library in LIBRARIES:
        try:
            known[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known


def git_head(folder: Path) -> dict[str, object] | None:
    """Return the commit and dirty flag of the repository that holds `folder`, None where there is none."""
    if not shutil.which("git"):
        return None
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return None
    return {"head": head, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *argv: str) -> str:
    """Return the output of a git command, empty if it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(folder), *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _fault(fault: PlannedFault) -> dict[str, object]:
    names = ("name", "kind", "params", "phase", "inject_s", "heal_s", "blinds")
    return {name: getattr(fault, name) for name in names}


def _phase(phase: PlannedPhase) -> dict[str, object]:
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
