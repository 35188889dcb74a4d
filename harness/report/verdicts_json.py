"""verdicts.json: the verdicts of one drill for programs. Pure in the evidence, so judging again repeats it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from tocsin.harness.judging.check import Verdict
from tocsin.harness.report import detection_table
from tocsin.harness.report.drill_figures import Summary

SCHEMA = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""


def document(summary: Summary) -> dict[str, object]:
    """Return what verdicts.json holds; README.md of this folder explains each key."""
    return {
        "schema": SCHEMA,
        "scenario": summary.scenario,
        "run_id": summary.run_id,
        "outcome": summary.outcome,
        "answer": summary.answer.value,
        "exit_code": summary.code,
        "counts": summary.counts,
        "speed": summary.speed,
        "production_s": summary.production_s,
        "wall_s": round(summary.wall_s, 3),
        "verdicts": [_verdict(verdict) for verdict in summary.verdicts],
        "detection": detection_table.document(summary.detections),
    }


def text(summary: Summary) -> str:
    """Return verdicts.json as text."""
    return _dump(document(summary))


def several(summaries: Sequence[Summary]) -> str:
    """Return one drill as `text` does, several as a list of the same objects."""
    if len(summaries) == 1:
        return text(summaries[0])
    return _dump([document(summary) for summary in summaries])


def _dump(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _verdict(verdict: Verdict) -> dict[str, object]:
    row: dict[str, object] = {
        "check": verdict.check,
        "title": verdict.title,
        "answer": verdict.answer.value,
        "reason": verdict.reason,
        "files": list(verdict.files),
        "figures": json_value(verdict.figures),
        "line": verdict.line,
    }
    if verdict.waiver:
        row |= {"waived": verdict.waived, "waiver": verdict.waiver}
    return row


def json_value(value: object) -> JsonValue:
    """Return a value of JSON's own kinds: arrays become lists, NaN and infinities null, other types their text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_value({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return json_value(sorted(value, key=str))
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return json_value(value.tolist())
    return str(value)


def differences(summary: Summary, stored: Path) -> list[str] | None:
    """Return what differs from a stored verdicts.json, a sentence each; None when there is none to compare with."""
    try:
        before = _by_line(json.loads(stored.read_text(encoding="utf-8"))["verdicts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    now = _by_line([_verdict(verdict) for verdict in summary.verdicts])
    gone = sorted(f"{check}: no longer judged" for _, check, _ in before.keys() - now.keys())
    new = sorted(f"{check}: not judged before" for _, check, _ in now.keys() - before.keys())
    changed = [before[key] for key, row in now.items() if key in before and row != before[key]]
    return [*gone, *new, *(f"{row['check']}: was {row['answer']} ({row['reason']})" for row in changed)]


def _by_line(rows: Iterable[Mapping[str, object]]) -> dict[tuple[object, object, object], Mapping[str, object]]:
    return {(row["line"], row["check"], row["title"]): row for row in rows}
