"""Writes the files of a run directory for `build`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.harness.evidence.logs import DOCUMENT, SOURCE
from tocsin.harness.evidence.metrics import write_segment
from tocsin.harness.evidence.requests import KINDS, OUTCOMES, RECORD
from tocsin.harness.evidence.run_json import SCHEMA

START = 1_000_000.0
SIGNALS: dict[str, Any] = {
    "jobs": {"ml-inference": "model", "prometheus": "prometheus"},
    "requests": {
        "metric": "predictions_total",
        "label": "status",
        "answered": "success",
        "failed": "error",
        "refused": "rejected",
    },
    "drift": {
        "score": {"metric": "drift_score", "label": "feature"},
        "detected": {"metric": "drift_detected", "label": "feature"},
        "checked": {"metric": "drift_checked", "every": 5},
    },
    "logs": {
        "role": "elasticsearch",
        "index": "logs-*",
        "unparsed": "unparsed-*",
        "id": "request_id",
        "time": "@timestamp",
        "status": "status",
        "files": "{work}/model/logs/requests.jsonl*",
    },
    "watchdog": {"alert": "Watchdog", "receiver": "watchdog", "every": 5},
}
FIXED_S = {"model": 1.0, "prometheus": 6.0, "elasticsearch": 10.0, "shipper": 1.0, "alertmanager": 1.0, "pager": 1.0}

Row = Mapping[str, Any]


def write_run(folder: Path, phases: Mapping[str, float], faults: Iterable[Row], speed: float, more: Row) -> None:
    scenario = {
        "version": 1,
        "name": "drill",
        "summary": "a test",
        "expect": [{"check": "metrics/agree", "args": {}}],
        "timeline": [{"phase": name, "for": seconds * speed} for name, seconds in phases.items()],
    }
    starts = np.cumsum([0.0, *phases.values()]) * speed
    run = {
        "schema": SCHEMA,
        "run_id": "r",
        "scenario": scenario,
        "speed": speed,
        "seed": 0,
        "signals": SIGNALS,
        "jobs": SIGNALS["jobs"],
        "scrape_interval_s": 1.0 * speed,
        "evaluation_interval_s": 1.0 * speed,
        "group_interval_s": 5.0 * speed,
        "fixed_s": FIXED_S,
        "alerts": [],
        "kinds": {},
        "features": ["f1", "f2", "f3"],
        "outcome": "completed",
        "phases": [
            {"name": name, "start_s": start, "end_s": end, "traffic": {"rate_per_s": 10.0}, "payload": {}}
            for name, start, end in zip(phases, starts, starts[1:], strict=False)
        ],
        "faults": [{key: value for key, value in one.items() if key != "times"} for one in faults],
    }
    (folder / "run.json").write_text(json.dumps({**run, **more}))


def write_journal(
    folder: Path, phases: Mapping[str, float], faults: Iterable[Row], more: Iterable[tuple[str, float, Row]]
) -> None:
    noted: dict[str, tuple[str, Row]] = {
        "injected": ("inject", {}),
        "effective": ("witness", {"state": "present"}),
        "healed": ("healed", {}),
        "gone": ("witness", {"state": "absent"}),
    }
    facts: list[tuple[str, float, Row]] = [("traffic_started", 0.0, {}), *more]
    at = 0.0
    for name, seconds in phases.items():
        facts.append(("phase_started", at, {"phase": name}))
        at += seconds
    facts.append(("play_ended", at, {}))
    for one in faults:
        for key, when in one["times"].items():
            fact, extra = noted[key]
            if when is not None:
                facts.append((fact, when, {"fault": one["name"], "detail": "", **extra}))
    facts.sort(key=lambda fact: fact[1])
    rows = [{"fact": fact, "at": START + at, "monotonic": at, **extra} for fact, at, extra in facts]
    write_lines(folder / "journal.jsonl", rows)


def write_requests(folder: Path, requests: Sequence[Row]) -> np.ndarray:
    rows = np.zeros(len(requests), RECORD)
    for place, (row, one) in enumerate(zip(rows, requests, strict=True)):
        at, answered = START + one["at"], one["outcome"] == "answered"
        row["id"] = (one["id"] or f"r-{one['worker']}-{place}").encode()
        row["kind"], row["outcome"] = KINDS.index(one["kind"]), OUTCOMES.index(one["outcome"])
        row["status"], row["worker"] = one["status"] if answered else 0, one["worker"]
        row["intended"], row["sent"] = at, np.nan if one["outcome"] == "dropped" else at + one["late_s"]
        row["first_byte"] = row["done"] = at + one["took_s"] if answered else np.nan
    folder.mkdir()
    np.save(folder / "1.npy", rows)
    (folder / "kinds.json").write_text(json.dumps({str(place): kind for place, kind in enumerate(KINDS)}))
    return rows


def write_series(folder: Path, series: Iterable[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]) -> None:
    folder.mkdir()
    shifted = [(labels, np.array(points, dtype=float).reshape(-1, 2) + [START, 0.0]) for labels, points in series]
    write_segment(folder / "0000.npz", shifted)


def write_logs(
    folder: Path,
    documents: Iterable[tuple[str, int]],
    source: Iterable[tuple[str, int]],
    unparsed: Sequence[Row],
    more: Row,
) -> None:
    far = np.array([(name.encode(), status, START, 0) for name, status in documents], dtype=DOCUMENT)
    near = np.array([(name.encode(), status) for name, status in source], dtype=SOURCE)
    folder.mkdir()
    np.save(folder / "documents.npy", far)
    np.save(folder / "source.npy", near)
    write_lines(folder / "unparsed.jsonl", unparsed)
    summary = {
        "indices": ["logs-1970.01.12"],
        "documents": len(far),
        "unparsed": len(unparsed),
        "source_lines": len(near),
        "complete": True,
        "detail": "",
    }
    (folder / "summary.json").write_text(json.dumps({**summary, **more}))


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row, default=float) + "\n" for row in rows))
