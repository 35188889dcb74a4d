"""tocsin setup: fetches the programs that a stack needs into the cache."""

from __future__ import annotations

from tocsin.harness.cli.options import StackFolder


def setup(stack: StackFolder = "reference") -> int:
    """Fetch the programs that a stack needs and this machine lacks.

    They go into a cache folder; nothing is installed on the system.
    """
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.core.errors import PASS
    from tocsin.harness.planning.loader import load_stack
    from tocsin.harness.provisioning import programs

    cache = programs.cache_folder()
    for program in programs.setup(load_stack(stack).programs, cache, say).values():
        show(f"{program.name} {program.version} ({program.origin}: {program.path})")
    return PASS
