"""collect: writes what the recorders have not written yet into the run directory, while the stack is still up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from tocsin.harness.collectors.collector import Collector
from tocsin.harness.collectors.panels import record_panels
from tocsin.harness.collectors.tool_outputs import record_tools
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.evidence.evidence import SettledWindow

TOOLS_WITHIN_S = 30.0
"""Wall seconds after which the stack goes down although a tool or a panel's query has not answered."""


def collect(window: SettledWindow, live: LiveStack, run: Run, journal: Journal, recorders: Sequence[Collector]) -> None:
    """Collect the streams; meanwhile record the tools' output and the panels of the dashboards.

    One that fails is noted; the others are still collected.
    """
    threads = [
        threading.Thread(target=_record, args=(name, record, live, run, journal), name=name, daemon=True)
        for name, record in (("tools", record_tools), ("panels", record_panels))
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


def _record(
    name: str, record: Callable[[LiveStack, Run, Journal], object], live: LiveStack, run: Run, journal: Journal
) -> None:
    try:
        record(live, run, journal)
    except Exception as error:  # checks that need this output are unknown then
        journal.note("error", message=f"Asking the {name} failed: {type(error).__name__}: {error}.")
