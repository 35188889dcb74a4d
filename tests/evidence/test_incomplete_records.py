"""A record that lost a part must not read as a quiet system or a miscounting service."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.build import START, asked, build, notice, steady
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import blind_intervals, missing

REQUESTS = [asked(at, worker=1) for at in range(10)] + [asked(at + 0.5, kind="canary") for at in range(10)]
SERIES = {"up": steady(1, 0, 59), "load": steady(1, 0, 59)}


def collected(stream: str, count: int, **more: Any) -> list[Any]:
    return [("collected", 61, {"stream": stream, "count": count, **more})]


def told(folder: Path, stream: str, facts: list[Any]) -> list[str]:
    notices = [notice(at, "watchdog", "Watchdog") for at in range(12)]
    evidence = build(folder / "run", requests=REQUESTS, series=SERIES, notifications=notices, facts=facts)
    return [text for _, text in missing(evidence, stream)]


@pytest.mark.parametrize(
    ("stream", "facts", "there"),
    [
        ("metrics", collected("metrics", 120), 120),
        ("drift", collected("metrics", 120), 120),
        ("notifications", collected("notifications", 12), 12),
        ("logs", collected("logs", 20), 20),
        ("requests", collected("requests", 10, worker=1), 10),
        ("requests", collected("requests", 10, worker=0), 10),
    ],
)
def test_what_was_collected_must_be_there(tmp_path: Path, stream: str, facts: list[Any], there: int) -> None:
    assert told(tmp_path / "all", stream, facts) == []
    facts[0][2]["count"] += 3
    assert told(tmp_path / "less", stream, facts) == [
        f"The record of {stream} is not whole: {there} of {there + 3} are there."
    ]


@pytest.mark.parametrize("stream", ["metrics", "drift", "notifications", "logs", "requests", "alerts"])
def test_a_run_that_never_said_what_it_collected_is_taken_as_it_is(tmp_path: Path, stream: str) -> None:
    assert told(tmp_path, stream, []) == []


def lost(at: float, stream: str, **more: Any) -> tuple[str, float, dict[str, Any]]:
    return ("stream_lost", at, {"stream": stream, "detail": "no space", **more})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([lost(30, "notifications")], [(29, inf)]),
        ([lost(30, "notifications"), ("stream_back", 40, {"stream": "notifications"})], []),
        ([lost(30, "alerts")], []),
    ],
)
def test_a_stream_that_never_came_back_is_blind_from_there_on(
    tmp_path: Path, facts: list[Any], expected: list[tuple[float, float]]
) -> None:
    found = missing(build(tmp_path / "run", facts=facts), "notifications")
    assert [(gap.start - START, gap.end) for gap, _ in found] == expected


def test_a_sender_that_ended_unasked_is_not_believed_after_its_last_record(tmp_path: Path) -> None:
    facts = [lost(50, "requests", worker=1)]
    evidence = build(tmp_path / "run", requests=REQUESTS, facts=facts)
    assert blind_intervals(evidence, "requests", Interval(start=START, end=START + 8)) == []
    ((gap, why),) = blind_intervals(evidence, "requests", Interval(start=START, end=START + 60))
    assert (gap.start - START, gap.end - START) == (9, 60)
    assert why == "The record of requests broke off: no space."


def test_a_segment_that_is_gone_blinds_metrics(tmp_path: Path) -> None:
    evidence = build(tmp_path / "run", healthy=True)
    facts = (evidence.folder / "journal.jsonl").read_text()
    count = evidence.metrics.samples
    row = f'{{"fact": "collected", "at": {START + 61}, "monotonic": 61, "stream": "metrics", "count": {count}}}\n'
    (evidence.folder / "journal.jsonl").write_text(facts + row)
    window = Interval(start=START, end=START + 60)
    assert blind_intervals(read_evidence(evidence.folder), "alerts", window) == []
    (evidence.folder / "metrics" / "0000.npz").write_bytes(b"PK torn")
    reasons = [why for _, why in blind_intervals(read_evidence(evidence.folder), "alerts", window)]
    assert f"The record of alerts is not whole: 0 of {count} are there." in reasons
