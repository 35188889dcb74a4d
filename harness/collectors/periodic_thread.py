"""A thread that calls a function periodically, and goes on when a call fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tocsin.harness.collectors.collector import sentence
from tocsin.harness.core.journal import Journal


class PeriodicThread:
    """Calls `tick` every `every_s` wall seconds. The first failure in a row and the recovery go to the journal."""

    def __init__(self, stream: str, every_s: float, tick: Callable[[], object], journal: Journal) -> None:
        self.every_s = every_s
        self._stream = stream
        self._tick = tick
        self._journal = journal
        self._ended = threading.Event()
        self._lost_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"collect-{stream}", daemon=True)

    def start(self) -> None:
        """Begin; the first tick comes at once."""
        self._thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """End after the tick under way; calling it again is harmless."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def once(self) -> bool:
        """Tick now; tell whether it went well."""
        try:
            self._tick()
        except Exception as error:
            self._failed(error)
            return False
        if self._lost_since is not None:
            self._journal.note("stream_back", stream=self._stream, lost_s=round(time.monotonic() - self._lost_since, 3))
            self._lost_since = None
        return True

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(due - time.monotonic(), 0.0)):
            self.once()
            due = max(due + self.every_s, time.monotonic())

    def _failed(self, error: Exception) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
            self._journal.note("stream_lost", stream=self._stream, detail=sentence(error))
