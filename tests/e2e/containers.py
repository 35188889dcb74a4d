"""What tests of the compose engine share: an engine or why there is none, a drill, what is left of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.drills import ROOT, start
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.compose.docker_engine import Docker, find_docker
from tocsin.harness.engines.compose.removal import LABEL, list_resources

SPEED = "30"
GONE_S = 15.0
"""So long after the harness was killed nothing may be left."""
SEED = 2026
KINDS = ("containers", "networks", "volumes")
NULL = ROOT / "stacks" / "null" / "scenarios" / "soak.yaml"
SHORT: dict[str, Any] = {
    "version": 1,
    "name": "contained",
    "summary": "A failing model and a neighbour that crashes, in containers.",
    "stack": "reference",
    "seed": 31,
    "traffic": {"users": "predict", "rate_per_s": 100, "arrivals": "poisson"},
    "timeline": [
        {"phase": "baseline", "for": "3m"},
        {
            "phase": "trouble",
            "for": "7m",
            "faults": [
                {"model_raises": {"share": 0.3}, "for": "7m", "name": "failing_model"},
                {"kill": {"role": "node"}, "at": "1m", "for": "2m", "name": "neighbour_down"},
                {"pause": {"role": "gpu"}, "at": "4m", "for": "2m", "name": "frozen"},
                {"net_partition": {"edge": "prometheus -> shipper-exporter"}, "at": "2m", "for": "2m", "name": "cut"},
            ],
        },
        {"phase": "recovery", "for": "5m"},
    ],
    "expect": [
        {"load/delivered": {}},
        {"alerts/fire": {"alert": "HighErrorRate", "during": "failing_model", "within": "6m", "delivered_to": "page"}},
        {"alerts/fire": {"alert": "TargetDown", "labels": {"job": "node-exporter"}, "during": "neighbour_down",
                         "within": "2m"}},
        {"alerts/fire": {"alert": "TargetDown", "labels": {"job": "gpu-metrics"}, "during": "frozen", "within": "2m"}},
        {"alerts/fire": {"alert": "TargetDown", "labels": {"job": "shipper"}, "during": "cut", "within": "2m"}},
        {"metrics/agree": {}},
        {"logs/ledger": {"lost": 0, "duplicated": 0, "misparsed": 0}},
    ],
}  # fmt: skip
"""Faults of four kinds: one through a hook, a killed container, a frozen one, and one on an edge."""


def engine() -> Docker:
    """Return the Docker engine of this machine, or skip the test with the reason why there is none."""
    try:
        return find_docker()
    except StackError as none:
        pytest.skip(f"no Docker engine here: {none}")


def left(docker: Docker, run_id: str | None = None) -> dict[str, int]:
    """Count containers, networks and volumes of a run, or of all runs."""
    label = f"{LABEL}={run_id}" if run_id else LABEL
    counted = {kind: len(list_resources(docker.host, kind, label)) for kind in KINDS}
    return {kind: count for kind, count in counted.items() if count}


def run_id_of(runs: Path) -> str:
    """Return the id of the only run below a folder; empty before it has one."""
    return next((place.name for place in runs.glob("*/*") if place.is_dir() and not place.is_symlink()), "")


def until(seen: Callable[[], object], within_s: float) -> float:
    """Wait for an event, bounded; return the seconds it took, also when it did not come."""
    began = time.monotonic()
    while not seen() and time.monotonic() - began < within_s:
        time.sleep(0.05)
    return time.monotonic() - began


def kill(docker: Docker, scenario: Path, ready: Callable[[Path, str], object], *, extra_s: float = 0.0,
         engine: str = "compose") -> dict[str, Any]:  # fmt: skip
    """Play a drill, SIGKILL its harness `extra_s` after `ready(runs, run id)`, and count what is left 15 s later."""
    place = Path(tempfile.mkdtemp(prefix="killed-", dir="/tmp"))
    place.chmod(0o755)
    runs, environment = place / "runs", {**os.environ, "TMPDIR": str(place)}
    argv = ("run", str(scenario), "--engine", engine, "--speed", SPEED)
    process = start(runs, *argv, environment=environment)
    try:
        waited_s = until(lambda: process.poll() is not None or ready(runs, run_id_of(runs)), 90.0)
        waited_s += until(lambda: process.poll() is not None, extra_s)
        run_id = run_id_of(runs)
        were = left(docker, run_id)
        process.kill()
        process.wait(5)
        rest: dict[str, int] = {}

        def nothing() -> bool:
            rest.clear()
            rest.update(left(docker, run_id), folders=len(list(place.glob("tocsin-*"))))
            return not any(rest.values())

        gone_s = until(nothing, GONE_S)
        stable = nothing()
        return {
            "moment_s": round(waited_s, 2),
            "were": were,
            "gone_s": round(gone_s, 2),
            "left": {} if stable else {kind: count for kind, count in rest.items() if count},
        }
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(place, ignore_errors=True)


def facts(runs: Path) -> list[str]:
    """Return the facts that the only run below a folder has noted."""
    found_facts = []
    for journal in runs.glob("*/*/journal.jsonl"):
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found_facts.append(str(json.loads(line)["fact"]))
            except (ValueError, KeyError):
                continue
    return found_facts


def moment(job: str, longest_s: float) -> float:
    """Return the seconds after which a job is killed: drawn, and the same each time."""
    return round(random.Random(f"{SEED} {job}").uniform(0.3, longest_s), 2)


def docker_says(docker: Docker, *argv: str) -> str:
    """Return what the docker CLI prints."""
    done = subprocess.run([docker.cli, *argv], env=dict(docker.environment), capture_output=True, text=True, timeout=60)
    return done.stdout.strip()
