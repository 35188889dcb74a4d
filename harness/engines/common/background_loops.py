"""What is done again and again in the background while a fault lasts, such as a crash loop: a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tocsin.harness.core.errors import TocsinError
from tocsin.harness.core.journal import Journal

_AFTER_A_MISTAKE_S = 0.5
_LONGEST_CALL_S = 60.0


@dataclass(kw_only=True)
class _Repeat:
    thread: threading.Thread
    over: threading.Event


@dataclass(kw_only=True)
class Repeats:
    """Starts and ends them. What goes wrong in one is noted, and tried again: a role that does not come up, say."""

    journal: Journal
    _running: dict[str, _Repeat] = field(default_factory=dict)

    def start(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` at once, and again after the wall seconds it returns; nothing if that name is taken."""
        if name in self._running:
            return
        over = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(name, do, over), name=name, daemon=True)
        self._running[name] = _Repeat(thread=thread, over=over)
        thread.start()

    def cease(self, name: str, within_s: float = _LONGEST_CALL_S) -> None:
        """End one, after its present call."""
        if running := self._running.pop(name, None):
            running.over.set()
            running.thread.join(within_s)

    def end_all(self) -> None:
        """Tell all to end, without waiting for their present calls."""
        for name in list(self._running):
            self.cease(name, within_s=0.0)

    def _go_on(self, name: str, do: Callable[[], float], over: threading.Event) -> None:
        pause_s = 0.0
        while not over.wait(pause_s):
            try:
                pause_s = do()
            except (OSError, TocsinError) as error:
                pause_s = _AFTER_A_MISTAKE_S
                self.journal.note("error", message=f"{name}: {error}")
