"""run.json: what a run was planned and played with, as its readers see it; docs/run-directory.md explains each key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

from tocsin.harness.core.errors import EvidenceError

SCHEMA = 1


class PhaseJson(TypedDict, total=False):
    """A phase of the timeline. `start_s` and `end_s` are production seconds from the start of play."""

    name: str
    start_s: float
    end_s: float
    traffic: Mapping[str, object]
    asked: Mapping[str, object]
    payload: Mapping[str, object]


class FaultJson(TypedDict):
    """A fault of the timeline. `blinds` are pairs: a stream that the fault blinds, and the role that must restart."""

    name: str
    kind: str
    phase: str
    params: Mapping[str, object]
    blinds: Sequence[tuple[str, str]]


class AlertJson(TypedDict, total=False):
    """An alerting rule of the stack, as written. `loaded`: prometheus.yml names its file."""

    name: str
    file: str
    expr: str
    labels: Mapping[str, str]
    loaded: bool
    keep_firing_for_s: float


class KindJson(TypedDict, total=False):
    """What a good service does with a kind of payload: `status` it answers, whether it is `counted` and `logged`."""

    status: Sequence[int]
    counted: str
    logged: str


class RunJson(TypedDict, total=False):
    """The keys of run.json that readers use. Intervals are production seconds, `fixed_s` wall seconds per role."""

    run_id: str
    scenario: Mapping[str, object]
    speed: float
    signals: Mapping[str, object]
    jobs: Mapping[str, str]
    scrape_interval_s: float
    evaluation_interval_s: float
    group_interval_s: float
    fixed_s: Mapping[str, float]
    features: Sequence[str]
    payload_role: str
    scales: Mapping[str, Sequence[str]]
    kinds: Mapping[str, KindJson]
    alerts: Sequence[AlertJson]
    phases: Sequence[PhaseJson]
    faults: Sequence[FaultJson]
    started_at: str
    finished_at: str
    outcome: str
    exit_code: int


def read_run_json(folder: Path) -> RunJson:
    """Read run.json of a run directory; EvidenceError if it is not one, or of a schema this version does not know."""
    path = folder / "run.json"
    if not path.is_file():
        raise EvidenceError(f"{folder} holds no run.json.", hint="Name a run directory such as runs/<scenario>/latest.")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvidenceError(f"{path} is not JSON: {error}.", hint="Copy the run directory again.") from None
    if run.get("schema") != SCHEMA:
        raise EvidenceError(f"{path} has schema {run.get('schema')}; this version reads {SCHEMA}.")
    return cast(RunJson, run)
