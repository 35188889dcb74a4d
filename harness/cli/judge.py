"""tocsin judge: judges a run directory again, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import JUnit, Only


def judge(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory, such as runs/tour/latest.")],
    only: Only = None,
    junit: JUnit = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON instead of a table.")] = False,
) -> int:
    """Judge a run directory again, offline.

    Needs no server, changes nothing in the directory, and tells what differs from its verdicts.json.
    """
    from harness.cli.drill import judged
    from harness.cli.output import say, show
    from harness.report import json as as_json

    summary = judged(run_dir.resolve() if run_dir.exists() else run_dir, only)
    if json:
        typer.echo(as_json.text(summary), nl=False)
    else:
        from harness.report import text

        show(text.drill(summary))
    if junit is not None:
        from harness.report import junit as as_junit

        junit.write_text(as_junit.document([summary]), encoding="utf-8")
    if only is None:
        say(_compared(as_json.same(summary, summary.folder / "verdicts.json")))
    return summary.code


def _compared(differences: list[str] | None) -> str:
    if differences is None:
        return "There is no verdicts.json to compare with."
    if not differences:
        return "The same verdicts as in verdicts.json."
    return "Not as in verdicts.json:\n" + "\n".join(f"  {difference}" for difference in differences)
