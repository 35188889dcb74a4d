"""Plays one planned drill from its run directory to its reports. Whatever happens, it returns what is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.harness.cli.console import say, write
from tocsin.harness.cli.exit_codes import explained
from tocsin.harness.cli.interrupt_notice import under_way
from tocsin.harness.cli.live_view import view
from tocsin.harness.cli.plan_drills import PlannedDrill, lacking
from tocsin.harness.cli.sweep import sentences
from tocsin.harness.core.errors import INTERRUPTED, TERMINATED, NotPlayable, worst
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.report import junit_xml, verdicts_json
from tocsin.harness.report.drill_figures import Summary, summarise
from tocsin.harness.report.junit_xml import Unjudged

if TYPE_CHECKING:
    from tocsin.harness.engines.common.run_folders import Run
    from tocsin.harness.engines.contract import Engine
    from tocsin.harness.provisioning.program_lookup import Program
    from tocsin.harness.traffic.worker_pool import RemoteWorkers


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says about playing. `timeout_s` is wall time for one drill, None for no limit."""

    runs: Path
    engine: Engine
    remote: RemoteWorkers
    programs: Mapping[str, Program] = field(default_factory=dict)
    only: str | None = None
    timeout_s: float | None = None
    keep_going: bool = False


@dataclass(frozen=True, kw_only=True)
class Played:
    """What became of a drill: its exit code, and its summary and evidence, or a sentence why there is none.

    `skipped`: a drill of a suite that cannot be played here; its code does not count.
    """

    drill: PlannedDrill
    code: int
    summary: Summary | None = None
    evidence: Evidence | None = None
    sentence: str = ""
    skipped: bool = False

    @property
    def ended(self) -> bool:
        """Whether a signal came, so that no further drill is started."""
        return self.code in (INTERRUPTED, TERMINATED)

    @property
    def unjudged(self) -> Unjudged:
        """What a JUnit file says of a drill without a summary."""
        return Unjudged(scenario=self.drill.name, sentence=self.sentence, skipped=self.skipped)


def play(drill: PlannedDrill, settings: Settings) -> Played:
    """Play, judge and report one drill on a fresh stack."""
    from tocsin.harness.core.clock import RunClock
    from tocsin.harness.engines.common.run_folders import make_run

    folder: Path | None = None
    try:
        missing = lacking(drill, settings.engine)
        if missing:
            return _not_playable(drill, missing)
        run = make_run(drill.name, runs=settings.runs, clock=RunClock(drill.timeline.speed), programs=settings.programs)
        folder = run.folder
        for sentence in sentences(run.swept):
            say(sentence)
        try:
            with under_way(run, drill.timeline.stack.name):
                evidence = _stages(drill, settings, run)
        finally:
            run.close()
        summary = judged(evidence, settings.only)
        write(folder / "verdicts.json", verdicts_json.text(summary))
        write(folder / "junit.xml", junit_xml.document([summary]))
        if summary.ended not in (INTERRUPTED, TERMINATED):
            picture(evidence)
    except BaseException as error:
        return Played(drill=drill, code=explained(error, folder), sentence=str(error) or type(error).__name__)
    code = worst([summary.code, summary.ended])
    return Played(drill=drill, code=code, summary=summary, evidence=unloaded(evidence))


def _not_playable(drill: PlannedDrill, missing: list[str]) -> Played:
    """Return a drill that cannot be played here; in a suite that is listed, by itself it is an error."""
    error = NotPlayable(f"{drill.name} cannot be played here: {' '.join(missing)}")
    code = error.exit_code if drill.in_suite else explained(error)
    return Played(drill=drill, code=code, sentence=str(error), skipped=drill.in_suite)


def _stages(drill: PlannedDrill, settings: Settings, run: Run) -> Evidence:
    from tocsin.harness.core.journal import Journal
    from tocsin.harness.runner.pipeline import run_drill

    journal = Journal(run.folder / "journal.jsonl", run.clock)
    try:
        with view(drill.name, drill.timeline.speed) as watch:
            return run_drill(
                drill.timeline,
                settings.engine,
                run,
                journal,
                command=("tocsin", *sys.argv[1:]),
                keep_going=settings.keep_going,
                timeout_s=settings.timeout_s,
                watch=watch,
                remote=settings.remote,
            )
    finally:
        journal.close()


def judged(evidence: Evidence, only: str | None = None) -> Summary:
    """Judge the evidence of one drill by every check of this installation."""
    from tocsin.assertions import ALL
    from tocsin.harness.judging.judge import judge

    return summarise(evidence, judge(evidence, {check.id: check for check in ALL}, only=only))


def unloaded(evidence: Evidence) -> Evidence:
    """Return the same evidence without the streams that were read, so that a suite does not fill the memory."""
    return replace(evidence)


def picture(evidence: Evidence) -> None:
    """Draw what the dashboards showed into the run directory. A failure is only mentioned."""
    from tocsin.harness.provisioning.programs import cache_folder
    from tocsin.harness.report import contact_sheet

    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))  # its list of fonts, not in the home
    try:
        contact_sheet.draw(evidence)
    except Exception as error:  # what was recorded stays, and can be drawn again
        say(f"tocsin: The panels could not be drawn: {type(error).__name__}: {error}.")
