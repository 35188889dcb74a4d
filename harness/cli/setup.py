"""tocsin setup: brings the programs a stack needs into the cache."""

from __future__ import annotations

from typing import Annotated

import typer


def setup(
    stack: Annotated[str, typer.Option("--stack", metavar="NAME|DIR", help="The stack to provide for.")] = "reference",
) -> int:
    """Bring missing programs into the cache.

    Only what the stack needs and this machine lacks. Nothing is installed on the system.
    """
    from harness import programs
    from harness.cli import parts
    from harness.cli.output import say, show
    from harness.errors import PASS
    from harness.loader import load_stack

    cache = programs.cache_folder()
    for program in programs.setup(parts.programs_of(load_stack(stack)), cache, say).values():
        show(f"{program.name} {program.version} ({program.origin}: {program.path})")
    return PASS
