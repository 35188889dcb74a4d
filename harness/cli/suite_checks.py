"""What is asked of all drills of a command together: the suite file beside the scenarios, and the rules' coverage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.harness.declarations.scenario import Scenario
    from tocsin.harness.judging.suite import Suite
    from tocsin.harness.report.summary import Summary


def suite_of(paths: Iterable[Path], alerts: Iterable[str]) -> Suite | None:
    """Return the suite of the first folder that holds a suite.yaml; None without one."""
    from tocsin.harness.judging.suite import FILE

    named = next((path / FILE for path in paths if (path / FILE).is_file()), None)
    return None if named is None else read(named, alerts)


def read(file: Path, alerts: Iterable[str]) -> Suite:
    """Read a suite file; UsageError holds its mistakes."""
    from tocsin.assertions import SUITE
    from tocsin.harness.judging.suite import read_suite

    return read_suite(file, {check.id: check for check in SUITE}, alerts)


def together(
    suite: Suite | None, folders: Sequence[Path], unplayed: Sequence[Scenario], only: str | None = None
) -> tuple[str, Summary | None]:
    """Return one sentence on the rules' coverage, and the suite's judged lines as a summary, None without a suite."""
    from tocsin.assertions import SUITE
    from tocsin.harness.evidence.evidence import read_evidence
    from tocsin.harness.judging.suite import coverage, judge_suite
    from tocsin.harness.report.summary import Summary

    checks = {check.id: check for check in SUITE}
    played = [read_evidence(folder) for folder in folders]
    told = coverage(played, unplayed, checks)
    if suite is None:
        return told, None
    verdicts = judge_suite(suite, played, unplayed, checks)
    verdicts = tuple(one for one in verdicts if only is None or fnmatchcase(one.check, only))
    if not verdicts:
        return told, None
    summary = Summary(
        scenario="suite",
        run_id="",
        folder=folders[-1].resolve().parent.parent if folders else Path("runs"),
        outcome="completed",
        ended=0,
        speed=played[-1].speed if played else 1.0,
        production_s=sum(float(one.run["phases"][-1]["end_s"]) for one in played),
        wall_s=0.0,
        verdicts=verdicts,
    )
    return told, summary
