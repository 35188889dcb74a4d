"""Every error Tocsin raises on purpose, and the exit code each one means.

    TocsinError                 70  our own code broke a promise
    |-- UsageError              64  the scenario or the command line is wrong; carries every mistake at once
    |-- StackError               2  the stack could not be brought up or kept up
    |   |-- MissingProgram       2  a program the stack needs is not on this machine
    |   |-- WaitTimeout          2  something awaited did not happen in time
    |   `-- RoleDied             2  a server ended that nobody had asked to end
    |-- NotPlayable              2  a drill needs something this machine or engine does not have
    |-- EvidenceError            2  a run directory cannot be read
    `-- HealError               70  a fault could not be undone

Each says the value seen, what was expected, and the next move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

PASS, FAIL, UNKNOWN, USAGE, BROKEN, INTERRUPTED, TERMINATED = 0, 1, 2, 64, 70, 130, 143

_PRECEDENCE = (INTERRUPTED, TERMINATED, BROKEN, USAGE, FAIL, UNKNOWN, PASS)
_RANK = {code: rank for rank, code in enumerate(_PRECEDENCE)}


def worst(codes: list[int]) -> int:
    """Return the exit code of several drills: 130 and 143, then 70, 64, 1, 2, 0. No drill at all is unknown."""
    if not codes:
        return UNKNOWN
    return min(codes, key=lambda code: _RANK.get(code, _RANK[BROKEN]))


class TocsinError(Exception):
    """Base of all our errors. `hint` is the next move, as one imperative sentence, or empty."""

    exit_code: ClassVar[int] = BROKEN

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One thing wrong in a file or on the command line. `line` counts from 1; 0 means no line is known."""

    file: str
    line: int
    where: str
    value: str
    expected: str
    hint: str = ""

    @property
    def place(self) -> str:
        """The file, with the line where one is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.where}: got {self.value}; expected {self.expected}. {self.hint}".rstrip()


@dataclass(frozen=True, kw_only=True)
class UnknownName(Mistake):
    """A name of nothing. `kind` says what it should name; `hint` is the nearest name and where all are listed."""

    kind: str

    def __str__(self) -> str:
        sentence = f"unknown {self.kind} `{self.value}`; {self.hint}"
        if self.where == self.kind:
            return f"{self.place}: {sentence}"
        return f"{self.place}: {self.where}: {sentence}"


class UsageError(TocsinError):
    """The scenario, the stack folder or the command line is wrong. `mistakes` holds all of them."""

    exit_code = USAGE

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)

    @classmethod
    def of(cls, file: object, where: str, value: str, expected: str, *, line: int = 0) -> Self:
        """Return an error with one mistake."""
        return cls([Mistake(file=str(file), line=line, where=where, value=value, expected=expected)])


class StackError(TocsinError):
    """The stack could not be brought up, or did not stay up."""

    exit_code = UNKNOWN


class MissingProgram(StackError):
    """A program that a role needs was not found in a fitting version."""


class WaitTimeout(StackError):
    """An awaited event did not come. The message says what, how long, and the last state seen."""


class RoleDied(StackError):
    """A server of the stack ended although no fault had asked for it."""


class NotPlayable(TocsinError):
    """The drill needs something that this machine or engine cannot give (a hook, root, a role)."""

    exit_code = UNKNOWN


class EvidenceError(TocsinError):
    """A run directory is missing, incomplete beyond use, or of an unknown version."""

    exit_code = UNKNOWN


class HealError(TocsinError):
    """A fault could not be undone; the message names what was left behind."""

    exit_code = BROKEN


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised in the main thread as Ctrl-C is; the drill heals, collects and records before it ends."""
