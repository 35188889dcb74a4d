"""tocsin doctor: says whether this machine can play a stack, and the next move where it cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli import engine_registry
from tocsin.harness.cli.console import plain_table, say, show
from tocsin.harness.cli.options import EngineName, Runs, StackFolder
from tocsin.harness.core.errors import PASS, UNKNOWN

if TYPE_CHECKING:
    from rich.table import Table

    from tocsin.harness.declarations.stack import Stack
    from tocsin.harness.provisioning.program_lookup import Absent, Program

RUN_MIB = 300
"""Free space that a drill's run directory and work folder need together, roughly."""


def doctor(
    stack: StackFolder = "reference",
    runs: Runs = Path("runs"),
    engine: EngineName = "local",
    pull: Annotated[bool, typer.Option("--pull", help="With compose: pull the images that are not here.")] = False,
) -> int:
    """Say whether this machine can play a stack.

    Lists every program with version and origin, memory, disk, and the next move for what is missing (exit 2). With
    `--engine compose`: the docker CLI, Compose, the engine and every image.
    """
    from tocsin.harness.planning.loader import load_stack
    from tocsin.harness.provisioning.programs import cache_folder

    chosen = load_stack(stack)
    kind, _, variant = engine.partition(":")
    engine_registry.engine(engine)  # refuses an unknown name
    table = plain_table("what", "version or size", "origin", "where")
    if kind == "compose":
        moves, notes = _images(chosen, variant or None, pull, table)
        ready = f"The engine can play stack {chosen.name}."
    else:
        moves = _programs(chosen, table)
        notes = [f"The cache of programs is {cache_folder()}."]
        ready = f"Everything that stack {chosen.name} needs is here."
    moves += _resources(chosen, runs, table)
    show(table, "", *notes, *(moves or [ready]))
    return UNKNOWN if moves else PASS


def _programs(stack: Stack, table: Table) -> list[str]:
    """Add a row for each program; return what to do about those that are missing."""
    from rich.text import Text

    from tocsin.harness.provisioning.program_lookup import Program
    from tocsin.harness.provisioning.programs import cache_folder, look_up_all

    missing = []
    programs: Mapping[str, Program | Absent] = look_up_all(stack.programs, cache_folder())
    for name, program in programs.items():
        if isinstance(program, Program):
            table.add_row(name, program.version, program.origin, str(program.path))
        else:
            table.add_row(name, Text("MISSING", style="bold red"), "", f"needs {program}")
            missing.append(name)
    if not missing:
        return []
    return [f"Missing: {', '.join(missing)}. Run `tocsin setup`, or put a fitting version on the PATH."]


def _images(stack: Stack, variant: str | None, pull: bool, table: Table) -> tuple[list[str], list[str]]:
    """Add a row for docker, Compose, the engine and each image; return what to do, and what to know."""
    from tocsin.harness.cli.doctor_compose import examine

    examined = examine(stack, variant, pull=pull, report=say)
    for row in examined.rows:
        table.add_row(*row)
    notes = []
    if examined.to_pull and not pull:
        notes.append(
            f"{len(examined.to_pull)} image(s) are not here; a run pulls those it needs. "
            "`tocsin doctor --engine compose --pull` pulls all of them now. To try the stack by itself, run "
            "`docker compose --profile logs --profile dashboards up --wait` in its folder."
        )
    return list(examined.moves), notes


def _resources(stack: Stack, runs: Path, table: Table) -> list[str]:
    """Add a row for memory and for each disk; return what to do about those of which there is too little."""
    from rich.text import Text

    from tocsin.harness.provisioning.programs import disk_free_mib, memory_mib

    roles_mib = engine_registry.memory_mib_of(stack)
    resources = [("memory", memory_mib(), roles_mib, "Close other programs, or use a larger machine.")]
    for place, setting in {runs.absolute(): "--runs", Path(tempfile.gettempdir()): "TMPDIR"}.items():
        move = f"Free some space in {place}, or set {setting}."
        resources.append((f"disk, {place}", disk_free_mib(place), RUN_MIB, move))
    moves = []
    for name, there_mib, needed_mib, move in resources:
        there = Text(f"{there_mib} MiB")
        if there_mib < needed_mib:
            there.stylize("bold red")
            moves.append(f"Too little: {name}. {move}")
        table.add_row(name, there, "", f"needs about {needed_mib} MiB")
    return moves
