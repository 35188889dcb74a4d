"""The options that several verbs share, or that are long, each declared once and checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

Scenarios = Annotated[
    list[Path], typer.Argument(metavar="SCENARIO|FOLDER", help="Scenario files, or folders of them (a suite).")
]
RunDirs = Annotated[list[Path], typer.Argument(metavar="RUN_DIR", help="Run directories, such as runs/tour/latest.")]
StackFolder = Annotated[str, typer.Option("--stack", metavar="NAME|DIR", help="The stack to use.")]
StackName = Annotated[
    str | None, typer.Option("--stack", metavar="NAME|DIR", help="Stack to use instead of the one the scenario names.")
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
Only = Annotated[str | None, typer.Option("--only", metavar="GLOB", help="Judge only matching checks: 'alerts/*'.")]
JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write all verdicts as JUnit XML.")]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="T", help="End a drill after T of wall time (5m, 90s); its answer is unknown."),
]
AllowFaults = Annotated[
    bool, typer.Option("--allow-faults", help="On an external stack: inject the faults that its allow_faults lists.")
]
AllowPages = Annotated[
    bool, typer.Option("--allow-pages", help="On an external stack: play although people may be paged.")
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Play on without a signal's canary; only its checks are unknown.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=64, help="Send the load from N processes of this machine."),
]
RemoteWorkerCount = Annotated[
    int, typer.Option("--remote-workers", metavar="N", min=0, max=64, help="Also wait for N `tocsin worker` elsewhere.")
]
Bind = Annotated[str, typer.Option("--bind", metavar="HOST[:PORT]", help="Where to listen for workers elsewhere.")]
