"""Reads the service's own log files: what was written, line by line, before the shipper touched it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tocsin.harness.evidence.logs import SOURCE

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SourceLines:
    """What the files held.

    `rows` (of evidence.logs.SOURCE) are the lines with an id, `malformed` counts those without; `torn` files end
    inside a line, which is not counted.
    """

    rows: np.ndarray
    malformed: int
    torn: int

    @property
    def count(self) -> int:
        """Every whole line."""
        return len(self.rows) + self.malformed


def log_files(pattern: str, work: Path) -> list[Path]:
    """Return the files of a pattern such as `{work}/model/logs/requests.jsonl*`, sorted."""
    path = Path(pattern.replace("{work}", str(work)))
    return sorted(path.parent.glob(path.name))


def read_lines(files: list[Path], *, id: str, status: str) -> SourceLines:
    """Read every line; `id` and `status` are the names of the fields."""
    rows: list[tuple[bytes, int]] = []
    malformed = torn = 0
    for path in files:
        with path.open("rb") as file:
            for line in file:
                row = _row(line, id, status)
                if not line.endswith(b"\n"):
                    torn += 1
                elif row is None:
                    malformed += 1
                else:
                    rows.append(row)
    return SourceLines(rows=np.array(rows, dtype=SOURCE), malformed=malformed, torn=torn)


def _row(line: bytes, id: str, status: str) -> tuple[bytes, int] | None:
    try:
        fields = json.loads(line)
        name, code = fields[id], fields.get(status)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(name, str) or not name:
        return None
    return name.encode(), as_status(code)


def as_status(value: object) -> int:
    """Return an HTTP status given as a number or as text, 0 for anything else."""
    try:
        code = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return 0
    return int(code) if 0 <= code <= 999 else 0


@dataclass
class LineCounter:
    """Counts the whole lines of growing files, reading each byte once. A file is known by its inode."""

    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def count(self, files: list[Path]) -> int:
        """Return how many whole lines the files hold together."""
        return sum(self._count(path) for path in files)

    def _count(self, path: Path) -> int:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            offset, lines = self._seen.get(stat.st_ino, (0, 0))
            if stat.st_size < offset:  # truncated in place
                offset = lines = 0
            file.seek(offset)
            while chunk := file.read(_CHUNK):
                offset, lines = offset + len(chunk), lines + chunk.count(b"\n")
            self._seen[stat.st_ino] = (offset, lines)
        return lines
