"""tocsin init: a first stack.yaml for a compose file of one's own."""

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
    """Write a first stack.yaml beside a compose file, and say what could not be found."""
    from tocsin.harness.cli.console import show
    from tocsin.harness.core.errors import PASS, Mistake, UsageError
    from tocsin.harness.planning.stack_draft import draft

    target = compose.parent / "stack.yaml"
    made = draft(compose)
    if target.exists() and not force:
        mistake = Mistake(
            file=str(target), line=0, where="stack.yaml", value="a file that is there", expected="none",
            hint="--force replaces it.",
        )  # fmt: skip
        raise UsageError([mistake])
    target.write_text(made.text, encoding="utf-8")
    show(f"Wrote {target}.", "", "Found:", *(f"  {line}" for line in made.found))
    show("", "Not found:", *(f"  {line}" for line in made.missing))
    show(
        "",
        f"Next: fill in {target}. Then: tocsin plan SCENARIO --stack {target.parent} --engine compose",
    )
    return PASS
