"""collect: what the recorders have not written yet goes into the run directory, while the stack is still up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from harness.collectors.tools import record_tools
from harness.evidence import Window
from harness.journal import Journal
from harness.stack import LiveStack

TOOLS_WITHIN_S = 30.0
"""Wall seconds after which the stack goes down although a tool has not answered."""


def collect(window: Window, live: LiveStack, run: Any, journal: Journal, recorders: Sequence[Any]) -> None:
    """Ask every recorder for its stream, and the tools for their word on the configuration, side by side.

    One that fails is noted; the others are still collected.
    """
    tools = threading.Thread(target=_ask_tools, args=(live, run, journal), name="tools", daemon=True)
    tools.start()
    for recorder in recorders:
        try:
            recorder.stop()
            count = recorder.collect(live, window, run, journal)
        except Exception as error:  # a broken stream must not cost the others
            journal.note("error", message=f"Collecting {recorder.name} failed: {type(error).__name__}: {error}.")
        else:
            journal.note("collected", stream=recorder.name, count=count)
    tools.join(timeout=TOOLS_WITHIN_S)


def _ask_tools(live: LiveStack, run: Any, journal: Journal) -> None:
    try:
        record_tools(live, run, journal)
    except Exception as error:  # what they would have said is then unknown
        journal.note("error", message=f"Asking the tools failed: {type(error).__name__}: {error}.")
