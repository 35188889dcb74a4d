"""tocsin init: writes a first stack.yaml for your compose file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    compose: Annotated[Path, typer.Option("--from", metavar="FILE", help="The compose file of the stack.")] = Path(
        "compose.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a stack.yaml that is there.")] = False,
) -> int:
    """Write a first stack.yaml beside a compose file.

    Lists what was found in the compose file and what you must fill in.
    """
    from tocsin.harness.cli.console import show
    from tocsin.harness.cli.usage_errors import usage_error
    from tocsin.harness.core.errors import PASS
    from tocsin.harness.planning.stack_draft.draft_writer import draft

    target = compose.parent / "stack.yaml"
    stack = draft(compose)
    if target.exists() and not force:
        raise usage_error("stack.yaml", "a file that is there", "none", "--force replaces it.", place=target)
    target.write_text(stack.text, encoding="utf-8")
    show(f"Wrote {target}.", "", "Found:", *(f"  {line}" for line in stack.found))
    show("", "Not found:", *(f"  {line}" for line in stack.missing))
    show("", f"Next: fill in {target}. Then: tocsin plan SCENARIO --stack {target.parent} --engine compose")
    return PASS
