"""collect: what the recorders have not written yet goes into the run directory, while the stack is still up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from tocsin.harness.collectors.panels import record_panels
from tocsin.harness.collectors.tool_outputs import record_tools
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.evidence.evidence import Window

TOOLS_WITHIN_S = 30.0
"""Wall seconds after which the stack goes down although a tool or a panel's query has not answered."""


def collect(window: Window, live: LiveStack, run: Any, journal: Journal, recorders: Sequence[Any]) -> None:
    """Ask every recorder for its stream, the tools for their word, and the panels of the dashboards, side by side.

    One that fails is noted; the others are still collected.
    """
    asked = {"tools": record_tools, "panels": record_panels}
    threads = [
        threading.Thread(target=_ask, args=(name, ask, live, run, journal), name=name, daemon=True)
        for name, ask in asked.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TOOLS_WITHIN_S
    for recorder in recorders:
        try:
            recorder.stop()
            count = recorder.collect(live, window, run, journal)
        except Exception as error:  # a broken stream must not cost the others
            journal.note("error", message=f"Collecting {recorder.name} failed: {type(error).__name__}: {error}.")
        else:
            journal.note("collected", stream=recorder.name, count=count)
    for thread in threads:
        thread.join(timeout=max(deadline - time.monotonic(), 0.0))


def _ask(name: str, ask: Callable[..., Any], live: LiveStack, run: Any, journal: Journal) -> None:
    try:
        ask(live, run, journal)
    except Exception as error:  # what they would have said is then unknown
        journal.note("error", message=f"Asking the {name} failed: {type(error).__name__}: {error}.")
