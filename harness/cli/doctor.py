"""tocsin doctor: tells whether this machine can play a stack, and the next move where it cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import Runs

if TYPE_CHECKING:
    from rich.console import RenderableType

RUN_MIB = 300
"""Free space that a drill's run directory and work folder need together, roughly."""


def doctor(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME|DIR", help="The stack to look for.")] = "reference",
    runs: Runs = Path("runs"),
) -> int:
    """Tell what this machine has and lacks for a stack.

    Every program with version and origin, memory and disk, and the next move for what is missing (exit 2).
    """
    from harness.cli import parts
    from harness.cli.output import show
    from harness.errors import PASS, UNKNOWN
    from harness.loader import load_stack
    from harness.programs import cache_folder, look_all

    found = load_stack(stack)
    cache = cache_folder()
    seen = look_all(parts.programs_of(found), cache)
    resources = _resources(parts.memory_mib_of(found), cache, runs)
    show(_table(seen, resources), f"\nThe cache of programs is {cache}.")
    moves = _moves(seen, resources)
    show(*(moves or [f"Everything that stack {found.name} needs is here."]))
    return UNKNOWN if moves else PASS


def _resources(memory_mib: int, cache: Path, runs: Path) -> list[tuple[str, int, int, str]]:
    """Return (what, MiB there, MiB needed, next move if that is too little)."""
    from harness.programs import disk_free_mib
    from harness.programs import memory_mib as available_mib

    places = {runs.absolute(): "--runs", Path(tempfile.gettempdir()): "TMPDIR"}
    disks = [
        (f"disk, {place}", disk_free_mib(place), RUN_MIB, f"Free some space in {place}, or set {setting}.")
        for place, setting in places.items()
    ]
    return [("memory", available_mib(), memory_mib, "Close other programs, or use a larger machine."), *disks]


def _table(seen: Mapping[str, Any], resources: list[tuple[str, int, int, str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("what", "version or size", "origin", "where"):
        table.add_column(column, overflow="fold")
    for name, program in seen.items():
        if hasattr(program, "path"):
            table.add_row(name, program.version, program.origin, str(program.path))
        else:
            table.add_row(name, Text("MISSING", style="bold red"), "", f"needs {program}")
    for what, there, needed, _ in resources:
        enough = Text(f"{there} MiB", style="" if there >= needed else "bold red")
        table.add_row(what, enough, "", f"needs about {needed} MiB")
    return table


def _moves(seen: Mapping[str, Any], resources: list[tuple[str, int, int, str]]) -> list[str]:
    """Return the next moves, one sentence each; none when nothing is missing."""
    missing = [name for name, program in seen.items() if not hasattr(program, "path")]
    moves = [f"Missing: {', '.join(missing)}. Run `tocsin setup`, or put fitting ones on the PATH."] if missing else []
    return moves + [f"Too little: {what}. {move}" for what, there, needed, move in resources if there < needed]
