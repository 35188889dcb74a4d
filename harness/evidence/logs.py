"""Logs: the lines as the service wrote them, and the documents they became at the far end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.harness.evidence.notifications import read_lines

DOCUMENT = np.dtype([("id", "S40"), ("status", "u2"), ("time", "f8"), ("index", "u2")])
"""One document: request id, HTTP status (0: none), event time (epoch s, nan: none), place in `Logs.indices`."""

SOURCE = np.dtype([("id", "S40"), ("status", "u2")])
"""One line of the service's own log that carries an id."""


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Both ends of the log pipeline. `complete` is false when an end could not be read in full; `detail` says why.

    `documents` are rows of DOCUMENT, `source` rows of SOURCE, `unparsed` the documents set aside as not parsed.
    `source_lines` counts every whole line at the source, `source_malformed` those of them without an id.
    """

    documents: np.ndarray
    source: np.ndarray
    unparsed: tuple[Mapping[str, Any], ...] = ()
    indices: tuple[str, ...] = ()
    source_lines: int = 0
    source_malformed: int = 0
    complete: bool = False
    detail: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Logs:
        """Read the folder `logs`; what is missing or torn is empty, and then `complete` is false."""
        summary = _summary(folder)
        documents, source = _rows(folder / "documents.npy", DOCUMENT), _rows(folder / "source.npy", SOURCE)
        missing = [name for name, rows in (("documents.npy", documents), ("source.npy", source)) if rows is None]
        if not summary:
            missing.append("summary.json")
        unparsed = tuple(read_lines(folder / "unparsed.jsonl"))
        if len(unparsed) != int(summary.get("unparsed", len(unparsed))):
            missing.append(f"a part of unparsed.jsonl ({len(unparsed)} of {summary['unparsed']} lines are there)")
        detail = str(summary.get("detail", ""))
        return cls(
            documents=np.empty(0, DOCUMENT) if documents is None else documents,
            source=np.empty(0, SOURCE) if source is None else source,
            unparsed=unparsed,
            indices=tuple(summary.get("indices", ())),
            source_lines=int(summary.get("source_lines", 0)),
            source_malformed=int(summary.get("source_malformed", 0)),
            complete=bool(summary.get("complete", False)) and not missing,
            detail=f"{', '.join(missing)} missing from {folder.name}/" if missing else detail,
            summary=summary,
        )


def _summary(folder: Path) -> dict[str, Any]:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def _rows(path: Path, dtype: np.dtype) -> np.ndarray | None:
    try:
        rows = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return rows if isinstance(rows, np.ndarray) and rows.dtype == dtype else None
