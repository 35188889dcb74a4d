"""collect: what the recorders have not written yet goes into the run directory, while the stack is still up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.evidence import Window
from harness.journal import Journal
from harness.stack import LiveStack


def collect(window: Window, live: LiveStack, run: Any, journal: Journal, recorders: Sequence[Any]) -> None:
    """Ask every recorder for its stream. One that fails is noted; the others are still collected."""
    for recorder in recorders:
        try:
            recorder.stop()
            count = recorder.collect(live, window, run, journal)
        except Exception as error:  # a broken stream must not cost the others
            journal.note("error", message=f"Collecting {recorder.name} failed: {type(error).__name__}: {error}.")
        else:
            journal.note("collected", stream=recorder.name, count=count)
