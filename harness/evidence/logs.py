"""Logs: the lines as the service wrote them, and the documents they became at the far end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.harness.core.journal import read_json_lines

DOCUMENT = np.dtype([("id", "S40"), ("status", "u2"), ("time", "f8"), ("index", "u2")])
"""One document: request id, HTTP status (0: none), event time (epoch s, nan: none), place in `Logs.indices`."""

SOURCE = np.dtype([("id", "S40"), ("status", "u2")])
"""One line of the service's own log that carries an id."""


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Both ends of the log pipeline. `complete` is false when an end could not be read in full; `detail` says why.

    `documents` are rows of DOCUMENT, `source` rows of SOURCE, `unparsed` the documents set aside as not parsed.
    """

    documents: np.ndarray
    source: np.ndarray
    unparsed: tuple[Mapping[str, object], ...] = ()
    indices: tuple[str, ...] = ()
    complete: bool = False
    detail: str = ""

    @classmethod
    def read(cls, folder: Path) -> Logs:
        """Read the folder `logs`; what is missing or torn is empty, and then `complete` is false."""
        missing: list[str] = []
        documents = _rows(folder / "documents.npy", DOCUMENT, missing)
        source = _rows(folder / "source.npy", SOURCE, missing)
        summary = _summary(folder / "summary.json", missing)
        unparsed = tuple(read_json_lines(folder / "unparsed.jsonl"))
        expected = int(summary.get("unparsed", len(unparsed)))
        if len(unparsed) != expected:
            missing.append(f"a part of unparsed.jsonl ({len(unparsed)} of {expected} lines are there)")
        lacking = f"{', '.join(missing)} missing from {folder.name}/"
        return cls(
            documents=documents,
            source=source,
            unparsed=unparsed,
            indices=tuple(summary.get("indices", ())),
            complete=bool(summary.get("complete", False)) and not missing,
            detail=lacking if missing else str(summary.get("detail", "")),
        )


def _summary(path: Path, missing: list[str]) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        summary = None
    if isinstance(summary, dict) and summary:
        return summary
    missing.append(path.name)
    return {}


def _rows(path: Path, dtype: np.dtype, missing: list[str]) -> np.ndarray:
    try:
        rows = np.load(path)
        if isinstance(rows, np.ndarray) and rows.dtype == dtype:
            return rows
    except (OSError, ValueError, EOFError):
        pass
    missing.append(path.name)
    return np.empty(0, dtype)
