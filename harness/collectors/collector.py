"""What every collector is, what it needs of a run, and the thread in which some of them poll."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, Protocol

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.evidence import SettledWindow

_P = ParamSpec("_P")


class CollectedRun(Protocol):
    """The run a collector writes for: its id, run directory, work folder and clock."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> Path: ...  # noqa: D102
    @property
    def work(self) -> Path: ...  # noqa: D102
    @property
    def clock(self) -> Clock: ...  # noqa: D102


class Collector(Protocol):
    """Follows one stream while the stack is up, and writes what is left of it before the stack goes down.

    `seen_canary` tells whether the stream's own sign of life has come out at its far end; `caught_up` whether all that
    happened up to `at` (epoch seconds) has. Both return (done, last state in words) and never raise. A signal that the
    stack does not declare has nothing to wait for: true, and its checks become unknown. `collect` writes the stream's
    files into the run directory and returns how many records they hold; it never raises either: what could not be read
    stands in the journal.
    """

    name: str
    asks: tuple[str, ...]
    """Roles it asks; a stack that lacks one of them does not have this stream."""

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None: ...  # noqa: D102
    def stop(self) -> None:
        """End what runs meanwhile, by default nothing; `collect` still works."""

    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]: ...  # noqa: D102
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]: ...  # noqa: D102
    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int: ...  # noqa: D102


def in_words(ask: Callable[_P, tuple[bool, str]]) -> Callable[_P, tuple[bool, str]]:
    """Wrap a question about a server: an error on the way is the answer "not yet", with the error as last state."""

    @wraps(ask)
    def asked(*args: _P.args, **kwargs: _P.kwargs) -> tuple[bool, str]:
        try:
            return ask(*args, **kwargs)
        except Exception as error:
            return False, sentence(error)

    return asked


def sentence(error: Exception) -> str:
    """Return an error in one line of at most 300 characters; of a failed connection, what the system said."""
    root = _system_error(error)
    text = " ".join(str(root or error).split()) or "no message"
    return f"{type(error).__name__}: {text}"[:300]


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the innermost error of the operating system behind an error, which HTTP clients wrap several times."""
    innermost = None
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            innermost = error
        error = error.__cause__ or error.__context__
    return innermost


class PeriodicThread:
    """Calls `tick` every `every_s` wall seconds, one call at a time, and goes on when one fails.

    The first failure in a row and the recovery go to the journal.
    """

    def __init__(self, stream: str, every_s: float, tick: Callable[[], object], journal: Journal) -> None:
        self.every_s = every_s
        self._stream = stream
        self._tick = tick
        self._journal = journal
        self._ended = threading.Event()
        self._ticking = threading.Lock()
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
        """Tick now, after the tick under way; tell whether it went well."""
        with self._ticking:
            try:
                self._tick()
            except Exception as error:
                self._failed(error)
                return False
            if self._lost_since is not None:
                lost_s = round(time.monotonic() - self._lost_since, 3)
                self._journal.note("stream_back", stream=self._stream, lost_s=lost_s)
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


class PolledCollector:
    """Base of the collectors that poll their stream: `start` makes the thread."""

    _ticker: PeriodicThread

    def stop(self) -> None:
        """End the thread; `collect` still works."""
        self._ticker.stop()
