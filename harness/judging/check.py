"""The judging contract: a Check turns Evidence into a Finding; the judge makes a Verdict of it. Three answers.

A check imports from here what every check needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from tocsin.harness.declarations.check_arguments import Args, SuiteArgs
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.evidence.check_bounds import scope_interval
from tocsin.harness.evidence.evidence import Evidence as Evidence
from tocsin.harness.evidence.interval import Interval as Interval

NEVER_BEGAN = "Play never began"
"""How the reason of every verdict begins when nothing was played."""

A = TypeVar("A", bound=Args)
S = TypeVar("S", bound=SuiteArgs)


class Answer(StrEnum):
    """Pass, fail or unknown. Unknown is red."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found: the answer, one sentence with the figures behind it, and more figures by name."""

    answer: Answer
    reason: str
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer to one line of `expect`. `title` shows the arguments; `files` say where the evidence lies.

    `waiver` says what a waiver of that line does, empty without one; `waived`: the failure it names does not count.
    """

    check: str
    title: str
    answer: Answer
    reason: str
    files: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    line: int = 0
    waived: bool = False
    waiver: str = ""

    @property
    def counted(self) -> Answer:
        """The answer as it counts for the drill: a failure that is waived is none."""
        return Answer.PASS if self.waived else self.answer


def passed(reason: str, **figures: object) -> Finding:
    """Return a finding that passes."""
    return Finding(answer=Answer.PASS, reason=reason, figures=figures)


def failed(reason: str, **figures: object) -> Finding:
    """Return a finding that fails."""
    return Finding(answer=Answer.FAIL, reason=reason, figures=figures)


def unknown(reason: str, **figures: object) -> Finding:
    """Return a finding that cannot tell."""
    return Finding(answer=Answer.UNKNOWN, reason=reason, figures=figures)


@dataclass(frozen=True, kw_only=True)
class Check(Generic[A]):
    """One question. The judge asks `judge` only when load was delivered (if `needs_load`) and `streams` saw the window.

    `id` is the name of its file and set when it is found: `alerts_fire.py` holds `alerts/fire`. `window` tells which
    part of the run the answer rests on (epoch seconds); by default where the arguments point. `more_streams` names the
    streams that only some arguments need.
    """

    summary: str
    args: type[A]
    judge: Callable[[Evidence, A], Finding]
    streams: tuple[str, ...]
    needs_load: bool = True
    window: Callable[[Evidence, A], Interval] = scope_interval
    more_streams: Callable[[A], tuple[str, ...]] = lambda args: ()
    files: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Drills:
    """What a suite check looks at: the evidence of every drill played, and the scenarios that could not be."""

    played: tuple[Evidence, ...]
    unplayed: tuple[Scenario, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SuiteCheck(Generic[S]):
    """One question about several drills together; it stands in a suite.yaml."""

    summary: str
    args: type[S]
    judge: Callable[[Drills, S], Finding]
    id: str = ""


AnyCheck: TypeAlias = Check[Any]
"""A check whose argument model the reader does not know."""
AnySuiteCheck: TypeAlias = SuiteCheck[Any]
