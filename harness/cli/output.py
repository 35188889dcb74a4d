"""The two consoles: results go to stdout, everything on the way there to stderr. Nothing else in Tocsin prints."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPED_WIDTH = 100
"""Columns when the output is not a terminal."""


def console(stream: IO[str] | None = None) -> Console:
    """Return a console on `stream` (default: stdout): colours on a terminal only, sentences wrapped, never cut."""
    from rich.console import Console

    class Patient(Console):
        """A console whose reader may go away: the drill and its exit code go on."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())

    target = stream or sys.stdout
    return Patient(
        file=target, highlight=False, markup=False, emoji=False, width=None if target.isatty() else PIPED_WIDTH
    )


def show(*results: RenderableType) -> None:
    """Print results to stdout."""
    out = console()
    for result in results:
        if isinstance(result, str):
            out.print(result, soft_wrap=True)
        else:
            out.print(result)
    _flush(sys.stdout)


def say(sentence: str) -> None:
    """Print one sentence about what goes on to stderr."""
    try:
        sys.stderr.write(sentence + "\n")
    except (BrokenPipeError, ValueError):
        return
    _flush(sys.stderr)


def _flush(stream: IO[str]) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
