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
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.core.errors import PASS
    from tocsin.harness.planning.loader import load_stack
    from tocsin.harness.provisioning import programs

    cache = programs.cache_folder()
    for program in programs.setup(load_stack(stack).programs, cache, say).values():
        show(f"{program.name} {program.version} ({program.origin}: {program.path})")
    return PASS
