"""Builds small run directories for tests. Every time given is wall seconds after START, where the first phase begins.

    evidence = build(
        tmp_path,
        phases={"baseline": 60, "shifted": 30},  # name -> wall seconds, one after the other
        series={'up{job="ml-inference"}': steady(1, 0, 90)}  # selector -> [(time, value), ...]
        | firing('HighErrorRate{severity="page"}', pending=62, start=65, end=80),
        requests=[asked(1.0), asked(2.0, kind="canary", status=503)],
        notifications=[notice(66, "page", 'HighErrorRate{severity="page"}')],
        documents=[("r-1-0", 200)],  # left out: one per answered request
        faults=[fault("outage", "kill", "shifted", injected=61, effective=62, healed=75, gone=77)],
    )

`healthy=True` adds what lets every stream vouch for itself: scrapes, Watchdog, canaries, drift checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.evidence import written_runs as written
from tests.evidence.written_runs import SIGNALS, START, Row
from tocsin.harness.evidence.evidence import Evidence, read_evidence

__all__ = ["SIGNALS", "START", "asked", "build", "counting", "fault", "firing", "notice", "steady", "together"]

Points = Sequence[tuple[float, float]]


def steady(value: float, start: float, end: float, every: float = 1.0) -> list[tuple[float, float]]:
    """A gauge that stays: a sample at `start`, then one each `every` seconds, up to and including `end`."""
    return [(float(at), float(value)) for at in np.arange(start, end + every / 1000, every)]


def counting(per_s: float, start: float, end: float, every: float = 1.0, first: float = 0.0) -> Points:
    """A counter that grows by `per_s` each second from `first`."""
    return [(at, first + (at - start) * per_s) for at, _ in steady(0, start, end, every)]


def firing(
    selector: str, *, start: float | None, end: float, pending: float | None = None, every: float = 1.0
) -> dict[str, Points]:
    """The ALERTS series of one episode: pending from `pending`, firing from `start`, first gone at `end`.

    `start=None`: it stayed pending. The selector is the alert's name and its labels: `HighErrorRate{severity="page"}`.
    Join several episodes of one alert with `together`.
    """
    name, labels = parse_selector(selector)
    labels |= {"__name__": "ALERTS", "alertname": name}
    found: dict[str, Points] = {}
    if pending is not None:
        until = end if start is None else start
        found[selector_of(labels | {"alertstate": "pending"})] = steady(1, pending, until - every / 500, every)
    if start is not None:
        found[selector_of(labels | {"alertstate": "firing"})] = steady(1, start, end - every / 500, every)
    return found


def together(*parts: Mapping[str, Points]) -> dict[str, Points]:
    """Join mappings of series; the samples of a series named twice are put together."""
    found: dict[str, Points] = {}
    for part in parts:
        for selector, points in part.items():
            found[selector] = sorted([*found.get(selector, ()), *points])
    return found


def asked(
    at: float,
    *,
    id: str = "",
    kind: str = "normal",
    outcome: str = "answered",
    status: int = 200,
    took_s: float = 0.01,
    late_s: float = 0.0,
    worker: int = 1,
) -> dict[str, Any]:
    """One request, due at `at`, sent `late_s` later; without an id it becomes `r-<worker>-<place in the list>`."""
    worker = 0 if kind == "canary" else worker
    return {
        "at": at,
        "id": id,
        "kind": kind,
        "outcome": outcome,
        "status": status,
        "took_s": took_s,
        "late_s": late_s,
        "worker": worker,
    }


def notice(
    at: float,
    receiver: str,
    *selectors: str,
    status: str = "firing",
    answered: int = 200,
    group: Row | None = None,
    annotations: Row | None = None,
    resolved: Sequence[str] = (),
) -> dict[str, Any]:
    """One notification with one alert per selector; those in `resolved` have ended, whatever the status of the rest."""
    named, said = [(selector, *parse_selector(selector)) for selector in selectors], dict(annotations or {})
    alerts = [
        {"status": status, "labels": {"alertname": name, **labels}, "annotations": said, "fingerprint": selector}
        for selector, name, labels in named
    ]
    alerts = [{**one, "status": "resolved"} if one["fingerprint"] in resolved else one for one in alerts]
    head = {"at": at, "receiver": receiver, "answered": answered, "status": status}
    return {**head, "group_labels": dict(group or {}), "alerts": alerts}


def fault(
    name: str,
    kind: str,
    phase: str,
    *,
    params: Row | None = None,
    blinds: Sequence[tuple[str, str]] = (),
    injected: float | None = None,
    effective: float | None = None,
    healed: float | None = None,
    gone: float | None = None,
) -> dict[str, Any]:
    """One planned fault, and when what became of it; None: it did not."""
    plan = {"name": name, "kind": kind, "phase": phase, "params": dict(params or {}), "blinds": list(blinds)}
    return {**plan, "times": {"injected": injected, "effective": effective, "healed": healed, "gone": gone}}


def build(
    folder: Path,
    *,
    phases: Mapping[str, float] | None = None,
    series: Mapping[str, Points] | None = None,
    requests: Iterable[Row] = (),
    notifications: Iterable[Row] = (),
    documents: Iterable[tuple[str, int]] | None = None,
    source: Iterable[tuple[str, int]] | None = None,
    unparsed: Iterable[Row] = (),
    alerts: Iterable[Row] = (),
    faults: Iterable[Row] = (),
    facts: Iterable[tuple[str, float, Row]] = (),
    speed: float = 1.0,
    run: Row | None = None,
    logs: Row | None = None,
    healthy: bool = False,
) -> Evidence:
    """Write a run directory into `folder` and read it.

    `documents` and `source` are (id, status), by default one per answered request; `alerts` are rows of alerts.jsonl
    with `at` after START; `facts` are further journal facts (name, at, more); `run` and `logs` override keys of
    run.json and logs/summary.json. At every speed scrapes and evaluations are 1 wall second apart, group intervals 5;
    Watchdog and drift check are due each 5 production seconds.
    """
    phases = dict(phases or {"baseline": 60.0})
    faults, requests, notifications, series = list(faults), list(requests), list(notifications), dict(series or {})
    if healthy:
        length = float(sum(phases.values()))
        requests += [asked(at + 0.5, kind="canary", id=f"r-0-{at}") for at in range(int(length))]
        notifications += [notice(at, "watchdog", "Watchdog") for at in np.arange(1, length + 5, 5 / speed)]
        series = together(_healthy_series(length, speed), series)
    folder.mkdir(parents=True, exist_ok=True)
    written.write_run(folder, phases, faults, speed, run or {})
    written.write_journal(folder, phases, faults, facts)
    rows = written.write_requests(folder / "requests", requests)
    served = [(row["id"].decode(), int(row["status"])) for row in rows if row["outcome"] == 0]
    written.write_series(folder / "metrics", [(labels_of(selector), points) for selector, points in series.items()])
    written.write_lines(folder / "notifications.jsonl", [{**row, "at": START + row["at"]} for row in notifications])
    written.write_lines(folder / "alerts.jsonl", [{**row, "at": START + row["at"]} for row in alerts])
    far, near = served if documents is None else documents, served if source is None else source
    written.write_logs(folder / "logs", far, near, list(unparsed), logs or {})
    return read_evidence(folder)


def parse_selector(selector: str) -> tuple[str, dict[str, str]]:
    """`up{job="a"}` -> ("up", {"job": "a"})."""
    name, _, rest = selector.partition("{")
    return name, dict(re.findall(r'(\w+)="([^"]*)"', rest))


def labels_of(selector: str) -> dict[str, str]:
    """`up{job="a"}` -> {"__name__": "up", "job": "a"}."""
    name, labels = parse_selector(selector)
    return {"__name__": name, **labels}


def selector_of(labels: Mapping[str, str]) -> str:
    """The reverse of `labels_of`."""
    inner = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels['__name__']}{{{inner}}}"


def _healthy_series(length: float, speed: float) -> dict[str, Points]:
    up = {f'up{{job="{job}", instance="{role}:80"}}': steady(1, 0.2, length) for job, role in SIGNALS["jobs"].items()}
    every = max(5 / speed, 1.0)
    checked = [(at, START + at // every * every) for at, _ in steady(0, 0.2, length)]
    return {**up, **firing("Watchdog", start=0.4, end=length + 1), "drift_checked": checked}
