"""Suite: what is asked of several drills together. A `suite.yaml` beside the scenarios holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.declarations.scenario import Expectation
from tocsin.harness.judging.check import AnySuiteCheck, Drills, Finding, Verdict, unknown
from tocsin.harness.judging.verdicts import began_on, find, verdict
from tocsin.harness.planning.argument_references import references
from tocsin.harness.planning.diagnostics import pieces
from tocsin.harness.planning.loader import expectations, read_page

FILE = "suite.yaml"
"""Its name in a folder of scenarios."""
COVERAGE = "rules/covered"
"""What is told of every suite, asked for or not."""


class Suite(Frozen):
    """A suite file: lines of `expect`, as in a scenario, whose checks look at several drills."""

    version: Literal[1]
    expect: tuple[Expectation, ...] = Field(min_length=1)


def read_suite(path: Path, checks: Mapping[str, AnySuiteCheck], alerts: Iterable[str]) -> Suite:
    """Read a suite file; UsageError holds every mistake. `alerts` are the names that it may use."""
    page = read_page(path)
    mistakes: list[Mistake] = []
    models = {name: check.args for name, check in checks.items()}
    lines = expectations(page, page.content, models, mistakes)
    names = {"alert": sorted(set(alerts))}
    for index, line in enumerate(lines):
        if line.parsed is not None:
            mistakes += references(page, ("expect", index, line.check), line.parsed, names)
    bare: dict[str, Any] = {**page.content, "expect": [{"check": COVERAGE, "args": {}}]}
    suite = pieces(page, (), Suite, bare, mistakes)
    if not lines and not mistakes:
        mistakes.append(page.mistake((), "expect", "nothing", f"at least one line such as `- {COVERAGE}: {{}}`"))
    if suite is None or mistakes:
        raise UsageError(mistakes)
    return suite.model_copy(update={"expect": tuple(lines)})


def judge_suite(suite: Suite, drills: Drills, checks: Mapping[str, AnySuiteCheck]) -> tuple[Verdict, ...]:
    """Return a verdict for each line; its waiver is judged by the day on which the last drill began."""
    days = [day for day in map(began_on, drills.played) if day is not None]
    return tuple(verdict(line, _find(line, drills, checks), max(days, default=None)) for line in suite.expect)


def coverage(drills: Drills, checks: Mapping[str, AnySuiteCheck]) -> str:
    """Return which alerts fired in at least one drill, in one sentence; empty if nothing tells."""
    finding = _find(Expectation(check=COVERAGE, args={}), drills, checks)
    return "" if not finding.figures else finding.reason


def _find(line: Expectation, drills: Drills, checks: Mapping[str, AnySuiteCheck]) -> Finding:
    def ask(check: AnySuiteCheck) -> Finding:
        if not drills.played:
            return unknown("No drill was played.")
        return check.judge(drills, line.arguments(check.args))

    return find(line, checks, ask)
