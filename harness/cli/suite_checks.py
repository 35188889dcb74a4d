"""What is asked of all drills of a command together: the suite file beside the scenarios, and the rules' coverage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.harness.declarations.scenario import Scenario
    from tocsin.harness.evidence.evidence import Evidence
    from tocsin.harness.judging.check import Verdict
    from tocsin.harness.judging.suite import Suite
    from tocsin.harness.report.drill_figures import Summary


def suite_of(paths: Iterable[Path], alerts: Iterable[str]) -> Suite | None:
    """Return the suite of the first folder that holds a suite.yaml; None without one."""
    from tocsin.harness.judging.suite import FILE

    return read(next((path / FILE for path in paths if (path / FILE).is_file()), None), alerts)


def read(file: Path | None, alerts: Iterable[str]) -> Suite | None:
    """Read a suite file, if there is one; UsageError holds its mistakes."""
    from tocsin.assertions import SUITE
    from tocsin.harness.judging.suite import read_suite

    if file is None:
        return None
    return read_suite(file, {check.id: check for check in SUITE}, alerts)


def show_together(
    suite: Suite | None,
    played: Sequence[Evidence],
    unplayed: Sequence[Scenario],
    only: str | None,
    *,
    quiet: bool = False,
) -> Summary | None:
    """Judge a suite's lines and show them, or say which alerts fired in at least one drill; `quiet`: on stderr.

    Returns the judged lines as a summary, None without any.
    """
    from tocsin.assertions import SUITE
    from tocsin.harness.cli.console import say, show
    from tocsin.harness.judging.check import Drills
    from tocsin.harness.judging.suite import coverage, judge_suite
    from tocsin.harness.report import verdict_table

    checks, drills = {check.id: check for check in SUITE}, Drills(played=tuple(played), unplayed=tuple(unplayed))
    verdicts: list[Verdict] = []
    if suite is not None:
        judged = judge_suite(suite, drills, checks)
        verdicts = [verdict for verdict in judged if only is None or fnmatchcase(verdict.check, only)]
    summary = _summary(verdicts, played)
    sentence = coverage(drills, checks)
    if quiet:
        say(f"Rules: {sentence}")
    elif summary is not None:
        show(verdict_table.suite_verdicts(summary))
    elif sentence:
        show(f"\nRules: {sentence}")
    return summary


def _summary(verdicts: Sequence[Verdict], played: Sequence[Evidence]) -> Summary | None:
    from tocsin.harness.report.drill_figures import Summary

    if not verdicts:
        return None
    folder, speed = Path("runs"), 1.0
    if played:
        folder, speed = played[-1].folder.resolve().parent.parent, played[-1].speed
    return Summary(
        scenario="suite",
        run_id="",
        folder=folder,
        outcome="completed",
        ended=0,
        speed=speed,
        production_s=sum(float(evidence.run["phases"][-1]["end_s"]) for evidence in played),
        wall_s=0.0,
        verdicts=tuple(verdicts),
    )
