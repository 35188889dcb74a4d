"""Follows the commands of the parent process on stdin, in a greenlet."""

from __future__ import annotations

import sys
from collections.abc import Callable

from gevent.event import Event
from gevent.fileobject import FileObject


class Startable:
    """What the parent process starts, at most once, and stops."""

    def __init__(self) -> None:
        self._started, self._stopped = Event(), Event()
        self._start = 0.0

    def start(self, at: float) -> None:
        """Let the first phase begin at `at`, epoch seconds. A second start changes nothing."""
        if not self._started.is_set():
            self._start = at
            self._started.set()

    def stop(self) -> None:
        """Send nothing more; what is under way gets a moment to end."""
        self._stopped.set()


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
