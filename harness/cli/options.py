"""The options that several verbs share, and how their values are checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.harness.core.errors import Mistake

Scenarios = Annotated[
    list[Path], typer.Argument(metavar="SCENARIO|FOLDER", help="Scenario files, or folders of them (a suite).")
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME|DIR", help="Stack to use instead of the one the scenario names."),
]
EngineName = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="What the stack runs on; see `tocsin ls engines`.")
]


def speed_of(text: str | float) -> float:
    """Return a speed of 1 or more; `max` stands for the largest honest one of each drill, given as infinity."""
    if str(text) == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 1.0 <= speed < math.inf:
        raise typer.BadParameter(f"{text!r} is neither `max` nor a number of 1 or more.")
    return speed


Speed = Annotated[
    float,
    typer.Option(
        "--speed",
        metavar="K|max",
        parser=speed_of,
        help="Divide every production duration by K (1 or more); max: the largest honest K of each drill.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed to use instead of the scenario's.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run directories are made.")]
Only = Annotated[str | None, typer.Option("--only", metavar="GLOB", help="Judge only checks like this: 'alerts/*'.")]
JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write all verdicts as JUnit XML, too.")]
AllowFaults = Annotated[
    bool, typer.Option("--allow-faults", help="Break what stack.yaml's allow_faults lists on a stack that is not ours.")
]
AllowPages = Annotated[
    bool, typer.Option("--allow-pages", help="Play although people may be paged by a stack that is not ours.")
]


def mistake(place: object, where: str, value: object, expected: str, hint: str = "") -> Mistake:
    """Return one thing wrong on the command line; `place` is the option, file or folder that it is about."""
    from tocsin.harness.core.errors import Mistake

    return Mistake(file=str(place), line=0, where=where, value=str(value), expected=expected, hint=hint)
