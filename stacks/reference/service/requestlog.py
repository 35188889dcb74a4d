"""The request log: one JSON object per line, in UTC, appended with one write each."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

_LOOK_EVERY_S = 1.0
_encode = json.JSONEncoder(separators=(",", ":")).encode


def timestamp(now_s: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds: 2026-01-31T23:59:59.123Z."""
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RequestLog:
    """Appends lines to a file, and reopens it within a second after it was renamed or removed.

    A line that cannot be written (no space) is dropped; requests go on. What was written of it is ended before the next
    line, so that no other line is torn. `altered_by` is empty except in fire drills.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.altered_by: list[Callable[[bytes], bytes]] = []
        self._looked_s = 0.0
        self._torn = False
        self._descriptor = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reopen()

    def write(self, fields: Mapping[str, object], now_s: float) -> bool:
        """Append a line and say whether that worked; `now_s` is monotonic seconds. OSErrors are printed to stderr."""
        line = (_encode(fields) + "\n").encode()
        for altered in self.altered_by:
            line = altered(line)
        if not line:
            return True
        try:
            if now_s - self._looked_s >= _LOOK_EVERY_S:
                self._looked_s = now_s
                self.follow()
            if self._torn:
                line = b"\n" + line
            written = os.write(self._descriptor, line)
            while written < len(line):
                self._torn = True
                written += os.write(self._descriptor, line[written:])
            self._torn = False
        except OSError as error:
            print(f"request log {self.path}: {error}", file=sys.stderr)
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def follow(self) -> None:
        """Reopen the file if it was renamed or removed."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            there = None
        here = os.fstat(self._descriptor) if self._descriptor >= 0 else None
        if there is None or here is None or (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev):
            self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._torn = False
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
