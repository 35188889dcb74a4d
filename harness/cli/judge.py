"""tocsin judge: judges run directories again, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.harness.cli.options import JUnit, Only, RunDirs

if TYPE_CHECKING:
    from tocsin.harness.evidence.evidence import Evidence
    from tocsin.harness.report.drill_figures import Summary


def judge(
    run_dirs: RunDirs,
    only: Only = None,
    junit: JUnit = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON instead of a table.")] = False,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Also judge what this suite.yaml asks of all runs together."),
    ] = None,
) -> int:
    """Judge run directories again, offline.

    Needs no server, changes nothing in the run directories, and says what differs from their verdicts.json.
    """
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.cli.play_drill import judged, unloaded
    from tocsin.harness.cli.suite_checks import read, show_together
    from tocsin.harness.core.errors import worst
    from tocsin.harness.evidence.evidence import read_evidence
    from tocsin.harness.report import junit_xml, verdict_table, verdicts_json

    summaries: list[Summary] = []
    evidences: list[Evidence] = []
    for folder in run_dirs:
        evidence = read_evidence(folder.resolve())  # of `latest`, the run that it points to
        summaries.append(judged(evidence, only))
        evidences.append(unloaded(evidence))
    if json:
        typer.echo(verdicts_json.several(summaries), nl=False)
    for summary in summaries:
        if not json:
            show(verdict_table.drill(summary))
        if only is None:
            say(_compared(verdicts_json.differences(summary, summary.folder / "verdicts.json")))
    if suite is not None or len(evidences) > 1:
        alerts = (str(rule["name"]) for evidence in evidences for rule in evidence.run["alerts"])
        together = show_together(read(suite, alerts), evidences, (), only, quiet=json)
        if together is not None:
            summaries.append(together)
    if junit is not None:
        junit.write_text(junit_xml.document(summaries), encoding="utf-8")
    return worst([summary.code for summary in summaries])


def _compared(differences: list[str] | None) -> str:
    if differences is None:
        return "There is no verdicts.json to compare with."
    if not differences:
        return "The same verdicts as in verdicts.json."
    return "Not as in verdicts.json:\n" + "\n".join(f"  {difference}" for difference in differences)
