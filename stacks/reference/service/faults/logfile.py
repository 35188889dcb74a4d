"""Faults of the request log: what is in its lines, and what becomes of its file. Serving goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from service.faults.base import SHARE, Fault, Parameter, number

if TYPE_CHECKING:
    from service.inference import Parts


class _LineFault(Fault):
    """Changes the lines of a share of the requests."""

    def begin(self, parts: Parts) -> None:
        """Let every line pass through here."""
        parts.log.altered_by.append(self._line)

    def end(self, parts: Parts) -> None:
        """Let lines be as they are."""
        parts.log.altered_by.remove(self._line)

    def _line(self, line: bytes) -> bytes:
        return self.changed(line) if self.strikes() else line

    def changed(self, line: bytes) -> bytes:
        """Return another line than this one; nothing is written for an empty one."""
        return line


class LogMalformed(_LineFault):
    """A share of the lines is cut off in the middle: no JSON."""

    def changed(self, line: bytes) -> bytes:
        """Return the first half."""
        return line[: len(line) // 2] + b"\n"


class LogOversize(_LineFault):
    """A share of the lines has a message of `kib` KiB."""

    parameters: Mapping[str, Parameter] = {"share": SHARE, "kib": number(0, 4096)}

    def changed(self, line: bytes) -> bytes:
        """Return the line with a longer message."""
        return line.replace(b'"message":"', b'"message":"' + b"x" * int(self.given["kib"] * 1024), 1)


class LogStop(_LineFault):
    """No line is written any more, and nobody is told."""

    parameters: Mapping[str, Parameter] = {}

    def changed(self, line: bytes) -> bytes:
        """Return nothing."""
        return b""


class LogRotate(Fault):
    """The file is renamed and a new one opened, as logrotate does."""

    parameters: Mapping[str, Parameter] = {}

    def begin(self, parts: Parts) -> None:
        """Rename it to the next free number."""
        parts.log.follow()
        os.rename(parts.log.path, _free_name(parts.log.path))
        parts.log.follow()


class LogTruncate(Fault):
    """The file is copied and cut to nothing, as logrotate's copytruncate does; no line is written in between."""

    parameters: Mapping[str, Parameter] = {}

    def begin(self, parts: Parts) -> None:
        """Copy it to the next free number, and truncate it."""
        parts.log.follow()
        shutil.copyfile(parts.log.path, _free_name(parts.log.path))
        os.truncate(parts.log.path, 0)


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return name
