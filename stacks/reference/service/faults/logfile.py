"""Faults of the request log: what is in its lines, and what becomes of its file. Serving goes on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from service.faults.base import SHARE, Fault
from service.requestlog import RequestLog


class _LineFault(Fault):
    """Changes the lines of a share of the requests."""

    def begin(self, log: RequestLog) -> None:
        """Alter every line from now on."""
        log.altered_by.append(self._line)

    def end(self, log: RequestLog) -> None:
        """Leave lines as they are."""
        log.altered_by.remove(self._line)

    def _line(self, line: bytes) -> bytes:
        return self.changed(line) if self.strikes() else line

    def changed(self, line: bytes) -> bytes:
        """Return the line to write instead; nothing is written for an empty one."""
        return line


class LogMalformed(_LineFault):
    """A share of the lines is cut off in the middle: no JSON."""

    numbers = {"share": SHARE}

    def changed(self, line: bytes) -> bytes:
        """Return the first half."""
        return line[: len(line) // 2] + b"\n"


class LogOversize(_LineFault):
    """A share of the lines has a message of `kib` KiB."""

    numbers = {"share": SHARE, "kib": (0, 4096)}

    def changed(self, line: bytes) -> bytes:
        """Return the line with a longer message."""
        return line.replace(b'"message":"', b'"message":"' + b"x" * int(self.number["kib"] * 1024), 1)


class LogStop(_LineFault):
    """No line is written any more, without an error."""

    def changed(self, line: bytes) -> bytes:
        """Return nothing."""
        return b""


class LogRotate(Fault):
    """The file is renamed and a new one opened, as logrotate does."""

    def begin(self, log: RequestLog) -> None:
        """Rename it to the next free number."""
        log.follow()
        os.rename(log.path, _free_name(log.path))
        log.follow()


class LogTruncate(Fault):
    """The file is copied and cut to nothing, as logrotate's copytruncate does; no line is written in between."""

    def begin(self, log: RequestLog) -> None:
        """Copy it to the next free number, and truncate it."""
        log.follow()
        shutil.copyfile(log.path, _free_name(log.path))
        os.truncate(log.path, 0)


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return name
