"""verdicts.json: the verdicts of one drill for programs. Pure in the evidence, so judging again repeats it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tocsin.harness.judging.check import Verdict
from tocsin.harness.report import detection_table
from tocsin.harness.report.summary import Summary

SCHEMA = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""


def document(summary: Summary) -> dict[str, Any]:
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
    return json.dumps(document(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def several(summaries: Sequence[Summary]) -> str:
    """Return one drill as `text` does, several as a list of the same objects."""
    if len(summaries) == 1:
        return text(summaries[0])
    listed = [document(summary) for summary in summaries]
    return json.dumps(listed, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "check": verdict.check,
        "title": verdict.title,
        "answer": verdict.answer.value,
        "reason": verdict.reason,
        "files": list(verdict.files),
        "figures": json_value(verdict.figures),
        "line": verdict.line,
        **({"waived": verdict.waived, "waiver": verdict.waiver} if verdict.waiver else {}),
    }


def json_value(value: Any) -> Any:
    """Return a value of JSON's own kinds: arrays become lists, NaN and infinities null, the unknown its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return json_value({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [json_value(item) for item in items]
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return json_value(value.tolist())
    return str(value)


def same(summary: Summary, stored: Path) -> list[str] | None:
    """Return what differs from a stored verdicts.json, a sentence each; None when there is none to compare with."""
    try:
        before = {_key(row): row for row in json.loads(stored.read_text(encoding="utf-8"))["verdicts"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    now = {_key(row): row for row in document(summary)["verdicts"]}
    gone = [f"{key[1]}: no longer judged" for key in before.keys() - now.keys()]
    new = [f"{key[1]}: not judged before" for key in now.keys() - before.keys()]
    changed = [f"{key[1]}: was {_told(before[key])}" for key in now if key in before and now[key] != before[key]]
    return sorted(gone) + sorted(new) + changed


def _key(row: Mapping[str, Any]) -> tuple[int, str, str]:
    return row["line"], row["check"], row["title"]


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['answer']} ({row['reason']})"
