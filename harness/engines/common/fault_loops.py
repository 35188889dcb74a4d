"""Repeats actions in the background while a fault lasts, such as a crash loop: one thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tocsin.harness.core.errors import TocsinError
from tocsin.harness.core.journal import Journal

_AFTER_AN_ERROR_S = 0.5
_LONGEST_CALL_S = 60.0


@dataclass(kw_only=True)
class BackgroundThreads:
    """Starts and ends the loops. A call that fails is noted and tried again: a role that does not come up, say."""

    journal: Journal
    _running: dict[str, tuple[threading.Thread, threading.Event]] = field(default_factory=dict)

    def start(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` now, and again after the wall seconds it returns; nothing happens if a loop has that name."""
        if name in self._running:
            return
        over = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(name, do, over), name=name, daemon=True)
        self._running[name] = thread, over
        thread.start()

    def cease(self, name: str, within_s: float = _LONGEST_CALL_S) -> None:
        """End the loop of this name after its present call; nothing happens where there is none."""
        if running := self._running.pop(name, None):
            thread, over = running
            over.set()
            thread.join(within_s)

    def end_all(self) -> None:
        """Tell all to end, without waiting for their present calls."""
        for name in list(self._running):
            self.cease(name, within_s=0.0)

    def _repeat(self, name: str, do: Callable[[], float], over: threading.Event) -> None:
        pause_s = 0.0
        while not over.wait(pause_s):
            try:
                pause_s = do()
            except (OSError, TocsinError) as error:
                pause_s = _AFTER_AN_ERROR_S
                self.journal.note("error", message=f"{name}: {error}")
