"""The options that several verbs share, and how their values are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Scenarios = Annotated[
    list[Path], typer.Argument(metavar="SCENARIO|FOLDER", help="Scenario files, or folders of them (a suite).")
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME|DIR", help="Stack to use instead of the one the scenario names."),
]
EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="What the stack runs on; see `tocsin ls`.")]
Speed = Annotated[
    float, typer.Option("--speed", metavar="K", min=1.0, help="Divide every production duration by K (1 or more).")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed to use instead of the scenario's.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run directories are made.")]
Only = Annotated[str | None, typer.Option("--only", metavar="GLOB", help="Judge only checks like this: 'alerts/*'.")]
JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write all verdicts as JUnit XML, too.")]
