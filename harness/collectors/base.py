"""What every collector is, and what it needs of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.clock import Clock
from harness.evidence import Window
from harness.journal import Journal
from harness.stack import LiveStack


class Run(Protocol):
    """The run a collector writes for: its id, run directory, work folder and clock."""

    id: str
    folder: Path
    work: Path
    clock: Clock


class Collector(Protocol):
    """Follows one stream while the stack is up, and writes what is left of it before the stack goes down.

    `seen_canary` tells whether the stream's own sign of life has come out at its far end; `caught_up` whether all that
    happened up to `at` (epoch seconds) has. Both return (done, last state in words) and never raise. `collect` writes
    the stream's files into the run directory and returns how many records they hold; it never raises either: what
    could not be read stands in the journal.
    """

    name: str

    def start(self, live: LiveStack, run: Run, journal: Journal) -> None: ...  # noqa: D102

    def stop(self) -> None: ...  # noqa: D102

    def seen_canary(self, live: LiveStack, run: Run) -> tuple[bool, str]: ...  # noqa: D102

    def caught_up(self, live: LiveStack, run: Run, at: float) -> tuple[bool, str]: ...  # noqa: D102

    def collect(self, live: LiveStack, window: Window, run: Run, journal: Journal) -> int: ...  # noqa: D102
