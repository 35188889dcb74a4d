"""What a stack that is up does in the same way whichever engine brought it up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tocsin.harness.core.clock import Clock, RunClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import Prober
from tocsin.harness.engines.common import host_resources
from tocsin.harness.engines.common.health import Abandoned
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.guardian.guard_record import GUARD, Record
from tocsin.harness.engines.kernel.run_processes import remove_folder


class Attended:
    """The record of what is broken, the canary process that witnesses ask, and networks as most engines have them."""

    engine: str

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

    def disconnect(self, role: str) -> None:
        """Raise StackError: this engine gives no role networks of its own."""
        raise StackError(f"The {self.engine} engine cannot take {role!r} off a network: it has none of its own.")

    def reconnect(self, role: str) -> None:
        """Do nothing: no role was ever disconnected."""

    def networks(self, role: str) -> tuple[str, ...]:
        """Return the one that every role is on."""
        return ("host",)


class Takeable(Protocol):
    """A stack that can be taken down."""

    def down(self) -> None: ...  # noqa: D102


def depart(live: Takeable, run: Run, journal: Journal) -> None:
    """Take a stack down with all that was made for it. What is left is noted, and the work folder stays with it."""
    live.down()
    left = [f"{place} is left." for place in host_resources.take_away(run.work)]
    left += [f"Fault {one.name} is not healed." for one in Record(run.work / GUARD).unhealed() if one.outlives]
    for sentence in left:
        journal.note("error", message=f"{sentence} The guardian tries again.")
    if not left:  # had this been interrupted, the guardian would finish it
        remove_folder(run.work)
        run.guard.needed = False
    journal.note("stack_down")


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
