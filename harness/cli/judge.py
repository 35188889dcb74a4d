"""tocsin judge: judges run directories again, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli.options import JUnit, Only

if TYPE_CHECKING:
    from tocsin.harness.report.summary import Summary


def judge(
    run_dirs: Annotated[
        list[Path], typer.Argument(metavar="RUN_DIR...", help="Run directories, such as runs/tour/latest.")
    ],
    only: Only = None,
    junit: JUnit = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON instead of a table.")] = False,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Also judge what this suite.yaml asks of all of them together."),
    ] = None,
) -> int:
    """Judge run directories again, offline.

    Needs no server, changes nothing in them, and tells what differs from their verdicts.json.
    """
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.cli.play_drill import judged
    from tocsin.harness.core.errors import worst
    from tocsin.harness.report import verdict_table
    from tocsin.harness.report import verdicts_json as as_json

    summaries = [judged(one.resolve() if one.exists() else one, only) for one in run_dirs]
    if json:
        typer.echo(as_json.several(summaries), nl=False)
    for summary in summaries:
        if not json:
            show(verdict_table.drill(summary))
        if only is None:
            say(_compared(as_json.same(summary, summary.folder / "verdicts.json")))
    together = _together(summaries, suite, only, quiet=json)
    every = [*summaries, *([together] if together else [])]
    if junit is not None:
        from tocsin.harness.report import junit_xml as as_junit

        junit.write_text(as_junit.document(every), encoding="utf-8")
    return worst([summary.code for summary in every])


def _together(summaries: list[Summary], file: Path | None, only: str | None, *, quiet: bool) -> Summary | None:
    """Judge the suite file, and say which alerts fired in at least one of several runs; `quiet`: on stderr."""
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.cli.suite_checks import read, together
    from tocsin.harness.evidence.evidence import read_evidence
    from tocsin.harness.report import verdict_table

    folders = [summary.folder for summary in summaries]
    alerts = (str(rule["name"]) for folder in folders for rule in read_evidence(folder).run["alerts"])
    suite = read(file, alerts) if file is not None else None
    if suite is None and len(folders) < 2:
        return None
    told, summary = together(suite, folders, (), only)
    if quiet:
        say(f"Rules: {told}")
    else:
        show(f"\nRules: {told}" if summary is None else verdict_table.together(summary))
    return summary


def _compared(differences: list[str] | None) -> str:
    if differences is None:
        return "There is no verdicts.json to compare with."
    if not differences:
        return "The same verdicts as in verdicts.json."
    return "Not as in verdicts.json:\n" + "\n".join(f"  {difference}" for difference in differences)
