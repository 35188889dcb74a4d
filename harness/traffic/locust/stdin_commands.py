"""Follows the commands of the parent process on stdin, in a greenlet."""

from __future__ import annotations

import sys
from collections.abc import Callable

from gevent.fileobject import FileObject


def follow_commands(start: Callable[[float], None], stop: Callable[[], None]) -> None:
    """Call `start` at `start <epoch seconds>`; call `stop` at `stop` or at the end of stdin, and return."""
    try:
        for raw in FileObject(sys.stdin.fileno(), "rb", closefd=False):
            words = raw.decode("utf-8", "replace").split()
            if words[:1] == ["start"] and len(words) == 2:
                start(float(words[1]))
            elif words == ["stop"]:
                break
    finally:
        stop()
