"""What every collector is, and what it needs of a run."""

from __future__ import annotations

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
    def stop(self) -> None: ...  # noqa: D102
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
