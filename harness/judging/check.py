"""The judging contract: a Check turns Evidence into a Finding; the judge makes a Verdict of it. Three answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tocsin.harness.declarations.references import Args, SuiteArgs
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval

NEVER_BEGAN = "Play never began"
"""How the reason of every verdict begins when nothing was played."""


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
    figures: Mapping[str, Any] = field(default_factory=dict)


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
    figures: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    waived: bool = False
    waiver: str = ""

    @property
    def counted(self) -> Answer:
        """The answer as it counts for the drill: a failure that is waived is none."""
        return Answer.PASS if self.waived else self.answer


def passed(reason: str, **figures: Any) -> Finding:
    """Return a finding that passes."""
    return Finding(answer=Answer.PASS, reason=reason, figures=figures)


def failed(reason: str, **figures: Any) -> Finding:
    """Return a finding that fails."""
    return Finding(answer=Answer.FAIL, reason=reason, figures=figures)


def unknown(reason: str, **figures: Any) -> Finding:
    """Return a finding that cannot tell."""
    return Finding(answer=Answer.UNKNOWN, reason=reason, figures=figures)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question. The judge asks `judge` only when load was delivered (if `needs_load`) and `streams` saw the window.

    `window` tells which part of the run the answer rests on (epoch seconds); by default where the arguments point.
    `more_streams` names the streams that only some arguments need.
    """

    id: str
    summary: str
    args: type[Args]
    judge: Callable[[Evidence, Any], Finding]
    streams: tuple[str, ...]
    needs_load: bool = True
    window: Callable[[Evidence, Any], Interval] | None = None
    more_streams: Callable[[Any], tuple[str, ...]] | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drills:
    """What a suite check looks at: the evidence of every drill played, and the scenarios that could not be."""

    played: tuple[Evidence, ...]
    unplayed: tuple[Scenario, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SuiteCheck:
    """One question about several drills together."""

    id: str
    summary: str
    args: type[SuiteArgs]
    judge: Callable[[Drills, Any], Finding]
