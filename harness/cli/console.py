"""Prints: results go to stdout, messages on the way there to stderr. Nothing else in Tocsin prints."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PIPED_WIDTH = 100
"""Columns when the output is not a terminal."""


def console(stream: IO[str] | None = None) -> Console:
    """Return a console on `stream` (default: stdout): colours on a terminal only, sentences wrapped, never cut."""
    from rich.console import Console

    target = stream or sys.stdout
    width = None if target.isatty() else PIPED_WIDTH
    return Console(file=target, highlight=False, markup=False, emoji=False, width=width)


def plain_table(*columns: str) -> Table:
    """Return a table without lines, whose cells are wrapped and never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show(*results: RenderableType) -> None:
    """Print results to stdout; text is not wrapped, and lines end where their words do."""
    out = console()
    with out.capture() as rendered:
        for result in results:
            out.print(result, soft_wrap=isinstance(result, str))
    lines = [line.rstrip() for line in rendered.get().splitlines()]
    try:
        sys.stdout.write("\n".join(lines) + "\n")
    except BrokenPipeError:
        return
    _flush(sys.stdout)


def say(sentence: str) -> None:
    """Print one sentence about the progress to stderr."""
    try:
        sys.stderr.write(sentence + "\n")
    except (BrokenPipeError, ValueError):
        return
    _flush(sys.stderr)


def write(path: Path, text: str) -> None:
    """Write a report; a failure is only mentioned."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        say(f"tocsin: {path} could not be written: {error.strerror}.")


def _flush(stream: IO[str]) -> None:
    """Flush. When the reader has gone away, the drill goes on without it and keeps its exit code."""
    try:
        stream.flush()
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
