"""tocsin doctor: says whether this machine can play a stack, and the next move where it cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli.options import EngineName, Runs, StackFolder

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
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.cli.console import plain_table, show
    from tocsin.harness.core.errors import PASS, UNKNOWN
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
    moves += _resources(_needed(chosen, runs), table)
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
    from tocsin.harness.cli.console import say
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


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What is there of a resource, what a drill needs, both in MiB, and the next move if there is too little."""

    name: str
    there_mib: int
    needed_mib: int
    move: str

    @property
    def enough(self) -> bool:
        """Whether there is enough of it."""
        return self.there_mib >= self.needed_mib


def _needed(stack: Stack, runs: Path) -> list[Resource]:
    from tocsin.harness.cli.engine_registry import memory_mib_of
    from tocsin.harness.provisioning.programs import disk_free_mib, memory_mib

    memory = Resource(
        name="memory",
        there_mib=memory_mib(),
        needed_mib=memory_mib_of(stack),
        move="Close other programs, or use a larger machine.",
    )
    places = {runs.absolute(): "--runs", Path(tempfile.gettempdir()): "TMPDIR"}
    disks = [
        Resource(
            name=f"disk, {place}",
            there_mib=disk_free_mib(place),
            needed_mib=RUN_MIB,
            move=f"Free some space in {place}, or set {setting}.",
        )
        for place, setting in places.items()
    ]
    return [memory, *disks]


def _resources(resources: Iterable[Resource], table: Table) -> list[str]:
    """Add a row for each resource; return what to do about those of which there is too little."""
    from rich.text import Text

    moves = []
    for resource in resources:
        style = "" if resource.enough else "bold red"
        there = Text(f"{resource.there_mib} MiB", style=style)
        table.add_row(resource.name, there, "", f"needs about {resource.needed_mib} MiB")
        if not resource.enough:
            moves.append(f"Too little: {resource.name}. {resource.move}")
    return moves
