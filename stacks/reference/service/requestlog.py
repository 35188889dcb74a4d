"""The request log: one JSON object per line, in UTC, appended with one write each."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 1.0
_encode = json.JSONEncoder(separators=(",", ":")).encode


def timestamp(now_s: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds: 2026-01-31T23:59:59.123Z."""
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RequestLog:
    """Appends lines to a file, and opens it anew within a second after it was renamed or removed.

    A line that cannot be written (no space) is dropped; requests go on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked_s = 0.0
        self._descriptor = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reopen()

    def write(self, fields: Mapping[str, Any], now_s: float) -> bool:
        """Append a line and say whether that worked; `now_s` is monotonic seconds. OSErrors are told on stderr."""
        line = (_encode(fields) + "\n").encode()
        try:
            if now_s - self._looked_s >= _LOOK_EVERY_S:
                self._looked_s = now_s
                self._follow()
            written = os.write(self._descriptor, line)
            if written < len(line):
                os.write(self._descriptor, line[written:])
        except OSError as error:
            print(f"request log {self.path}: {error}", file=sys.stderr)
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _follow(self) -> None:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        here = os.fstat(self._descriptor) if self._descriptor >= 0 else None
        if there is None or here is None or (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev):
            self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def wall_s() -> float:
    """Return the service's wall clock, epoch seconds: the one place where log times come from."""
    return time.time()
