"""What a stack that is up does in the same way whichever engine brought it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.clock import Clock, RunClock
from harness.engines.health import Abandoned
from harness.engines.record import Record
from harness.errors import StackError
from harness.stack import Prober


class Attended:
    """The record of what is broken, and the canary process that witnesses ask."""

    def __init__(self, record: Record, now: Callable[[], float]) -> None:
        """`now` tells the epoch seconds that the record is dated with."""
        self._record, self._now = record, now
        self._prober: Prober | None = None

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        """Write down in `<work>/guard.jsonl`, before it is done, what is about to be broken; safe on disk on return."""
        self._record.broken(fault, kind=kind, params=params, outlives=outlives, at=self._now())

    def healed(self, fault: str) -> None:
        """Write down there that a fault was healed."""
        self._record.healed(fault, at=self._now())

    def attach_prober(self, prober: Prober) -> None:
        """Say which canary process witnesses may ask."""
        self._prober = prober

    @property
    def prober(self) -> Prober:
        """The canary process of this run; StackError before one was attached."""
        if self._prober is None:
            raise StackError("No canary process is attached to this stack.", hint="Call attach_prober first.")
        return self._prober


def wait_for_all(names: Iterable[str], wait_for: Callable[[str, threading.Event], object]) -> None:
    """Wait for all side by side; raise the first failure at once, and give up the other waits then."""
    given_up = threading.Event()
    chosen = list(names)
    with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
        try:
            waits = [pool.submit(wait_for, name, given_up) for name in chosen]
            wait(waits, return_when=FIRST_EXCEPTION)
        finally:
            given_up.set()
    failures = [error for done in waits if (error := done.exception())]
    failures.sort(key=lambda error: isinstance(error, Abandoned))
    if failures:
        raise failures[0]


@dataclass(frozen=True, kw_only=True)
class AnothersRun:
    """What a stack asks of its run, where another process brought it up."""

    id: str
    work: Path
    folder: Path
    clock: Clock = field(default_factory=RunClock)


class NoJournal:
    """Forgets: the journal belongs to the harness that brought the stack up."""

    def note(self, fact: str, **more: Any) -> None:
        """Do nothing."""
