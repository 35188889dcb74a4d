"""tocsin doctor: tells whether this machine can play a stack, and the next move where it cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.harness.cli.options import EngineName, Runs

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from tocsin.harness.declarations.stack import Stack

RUN_MIB = 300
"""Free space that a drill's run directory and work folder need together, roughly."""


def doctor(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME|DIR", help="The stack to look for.")] = "reference",
    runs: Runs = Path("runs"),
    engine: EngineName = "local",
    pull: Annotated[bool, typer.Option("--pull", help="Under compose: pull the images that are not here.")] = False,
) -> int:
    """Tell what this machine has and lacks for a stack.

    Every program with version and origin, memory and disk, and the next move for what is missing (exit 2). With
    `--engine compose` the docker CLI, Compose, the engine and every image instead of programs.
    """
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.cli.console import show
    from tocsin.harness.core.errors import PASS, UNKNOWN
    from tocsin.harness.planning.loader import load_stack
    from tocsin.harness.provisioning.programs import cache_folder, look_up_all

    found = load_stack(stack)
    kind, _, variant = engine.partition(":")
    engine_registry.engine(engine)  # refuses a name that there is not
    if kind == "compose":
        return _compose(found, variant or None, pull, runs)
    cache = cache_folder()
    seen = look_up_all(found.programs, cache)
    resources = _resources(engine_registry.memory_mib_of(found), cache, runs)
    show(_table(seen, resources), f"\nThe cache of programs is {cache}.")
    moves = _moves(seen, resources)
    show(*(moves or [f"Everything that stack {found.name} needs is here."]))
    return UNKNOWN if moves else PASS


def _compose(stack: Stack, variant: str | None, pull: bool, runs: Path) -> int:
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.cli.doctor_compose import examine
    from tocsin.harness.core.errors import PASS, UNKNOWN
    from tocsin.harness.provisioning.programs import cache_folder

    seen = examine(stack, variant, pull=pull, report=say)
    resources = _resources(engine_registry.memory_mib_of(stack), cache_folder(), runs)
    table = _empty_table()
    for row in seen.rows:
        table.add_row(*row)
    _add_resources(table, resources)
    show(table, "")
    moves = [*seen.moves, *_too_little(resources)]
    if seen.to_pull and not pull:
        show(
            f"{len(seen.to_pull)} image(s) are not here; a run pulls those it needs. `tocsin doctor --engine compose "
            "--pull` pulls all of them now, and `docker compose --profile logs --profile dashboards up --wait` in the "
            "stack's folder starts them and waits for their health checks."
        )
    show(*(moves or [f"The engine can play stack {stack.name}."]))
    return UNKNOWN if moves else PASS


def _resources(memory_mib: int, cache: Path, runs: Path) -> list[tuple[str, int, int, str]]:
    """Return (what, MiB there, MiB needed, next move if that is too little)."""
    from tocsin.harness.provisioning.programs import disk_free_mib
    from tocsin.harness.provisioning.programs import memory_mib as available_mib

    places = {runs.absolute(): "--runs", Path(tempfile.gettempdir()): "TMPDIR"}
    disks = [
        (f"disk, {place}", disk_free_mib(place), RUN_MIB, f"Free some space in {place}, or set {setting}.")
        for place, setting in places.items()
    ]
    return [("memory", available_mib(), memory_mib, "Close other programs, or use a larger machine."), *disks]


def _empty_table() -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("what", "version or size", "origin", "where"):
        table.add_column(column, overflow="fold")
    return table


def _table(seen: Mapping[str, Any], resources: list[tuple[str, int, int, str]]) -> RenderableType:
    from rich.text import Text

    table = _empty_table()
    for name, program in seen.items():
        if hasattr(program, "path"):
            table.add_row(name, program.version, program.origin, str(program.path))
        else:
            table.add_row(name, Text("MISSING", style="bold red"), "", f"needs {program}")
    _add_resources(table, resources)
    return table


def _add_resources(table: Table, resources: list[tuple[str, int, int, str]]) -> None:
    from rich.text import Text

    for what, there, needed, _ in resources:
        enough = Text(f"{there} MiB", style="" if there >= needed else "bold red")
        table.add_row(what, enough, "", f"needs about {needed} MiB")


def _moves(seen: Mapping[str, Any], resources: list[tuple[str, int, int, str]]) -> list[str]:
    """Return the next moves, one sentence each; none when nothing is missing."""
    missing = [name for name, program in seen.items() if not hasattr(program, "path")]
    moves = [f"Missing: {', '.join(missing)}. Run `tocsin setup`, or put fitting ones on the PATH."] if missing else []
    return moves + _too_little(resources)


def _too_little(resources: list[tuple[str, int, int, str]]) -> list[str]:
    return [f"Too little: {what}. {move}" for what, there, needed, move in resources if there < needed]
