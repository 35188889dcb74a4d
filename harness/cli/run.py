"""tocsin run: plays drills, each on a fresh stack, and judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.harness.cli import engine_registry, options, worker
from tocsin.harness.cli.console import say, show
from tocsin.harness.cli.usage_errors import Mistakes, usage_error
from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import worst

if TYPE_CHECKING:
    from tocsin.harness.cli.plan_drills import PlannedDrill
    from tocsin.harness.cli.play_drill import Played, Settings
    from tocsin.harness.engines.contract import Engine
    from tocsin.harness.judging.check import Answer
    from tocsin.harness.report.drill_figures import Summary
    from tocsin.harness.report.junit_xml import Unjudged


def run(
    scenarios: options.Scenarios,
    stack: options.StackName = None,
    engine: options.EngineName = "local",
    speed: options.Speed = 1.0,
    seed: options.Seed = None,
    runs: options.Runs = Path("runs"),
    only: options.Only = None,
    timeout: options.Timeout = None,
    junit: options.JUnit = None,
    allow_faults: options.AllowFaults = False,
    allow_pages: options.AllowPages = False,
    keep_going: options.KeepGoing = False,
    workers: options.Workers = None,
    remote_workers: options.RemoteWorkerCount = 0,
    bind: options.Bind = "127.0.0.1",
) -> int:
    """Play drills, each on a fresh stack, and judge them.

    Ctrl-C rolls back faults, then exits. After a SIGKILL the guardian does the same within 10 s.
    """
    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.cli.plan_drills import drills, make_folders, refuse
    from tocsin.harness.cli.play_drill import Settings

    mistakes = Mistakes()
    with mistakes:
        timeout_s = _seconds(timeout)
    with mistakes:
        chosen = engine_registry.engine(engine)
    with mistakes:
        remote = worker.remote(remote_workers, bind)
    with mistakes:
        planned = drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed, workers=workers)
    mistakes.refuse()
    refuse(planned, chosen, only=only, allow_faults=allow_faults, allow_pages=allow_pages)
    make_folders([runs] if junit is None else [runs, junit.parent])
    settings = Settings(runs=runs, engine=chosen, only=only, timeout_s=timeout_s, keep_going=keep_going, remote=remote)
    return _play(planned, scenarios, settings, junit)


def _play(planned: Sequence[PlannedDrill], scenarios: Sequence[Path], settings: Settings, junit: Path | None) -> int:
    """Play one drill after the other and show its verdicts; after Ctrl-C no further one is started."""
    from tocsin.harness.cli.play_drill import play
    from tocsin.harness.cli.suite_checks import show_together, suite_of
    from tocsin.harness.provisioning.programs import cache_folder, find_all
    from tocsin.harness.report import verdict_table

    suite = suite_of(scenarios, (rule.name for drill in planned for rule in drill.timeline.alerts))
    programs = sorted({name for drill in planned for name in settings.engine.programs(drill.timeline.stack)})
    announce(planned, settings.engine, programs)
    settings = replace(settings, programs=find_all(programs, cache_folder()))
    played: list[Played] = []
    for drill in planned:
        result = play(drill, settings)
        played.append(result)
        if result.summary is not None:
            show(verdict_table.drill(result.summary))
        elif result.skipped:
            show(f"{drill.name} was not played: {result.sentence}")
        if result.ended:
            break
    together = None
    if len(planned) > 1 or suite:
        evidence = {result.drill.path: result.evidence for result in played if result.evidence is not None}
        unplayed = [drill.timeline.scenario for drill in planned if drill.path not in evidence]
        together = show_together(suite, list(evidence.values()), unplayed, settings.only)
    return _finish(planned, played, junit, together)


def _seconds(timeout: str | None) -> float | None:
    if timeout is None:
        return None
    try:
        return parse_duration(timeout)
    except ValueError:
        raise usage_error("--timeout", timeout, "a duration such as 90s or 15m") from None


def announce(planned: Sequence[PlannedDrill], engine: Engine, programs: Sequence[str]) -> None:
    """Say before anything starts how long it will take, and what it needs."""
    from tocsin.harness.provisioning.programs import memory_mib

    for drill in planned:
        timeline = drill.timeline
        length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
        say(
            f"{drill.name}: plays {length} of production time in {wall} at speed {timeline.speed:g}, "
            f"plus about {engine.around_play_s} s for start and end."
        )
        for warning in timeline.warnings:
            say(f"{drill.name}: warning: {warning}")
    if len(planned) > 1:
        total_s = sum(drill.timeline.wall_s + engine.around_play_s for drill in planned)
        say(f"{len(planned)} drills, one after the other: about {format_duration(round(total_s))}.")
    needed_mib = max((engine_registry.memory_mib_of(drill.timeline.stack) for drill in planned), default=0)
    free_mib = memory_mib()
    names = ", ".join(programs) or "no further program"
    say(f"Needs about {needed_mib} MiB of memory ({free_mib} MiB are available) and {names}.")
    if free_mib < needed_mib:
        say("warning: With so little memory, servers may be killed, and the answer be unknown. Close other programs.")


def _finish(
    planned: Sequence[PlannedDrill], played: Sequence[Played], junit: Path | None, together: Summary | None
) -> int:
    """Write the merged JUnit file, show the suite, and return the exit code of all drills."""
    from tocsin.harness.report import junit_xml, verdict_table

    if junit is not None:
        cases: list[Summary | Unjudged] = [result.summary or result.unjudged for result in played]
        if together is not None:
            cases.append(together)
        junit.write_text(junit_xml.document(cases), encoding="utf-8")
    if len(planned) > 1:
        lines = [_line(result) for result in played]
        lines += [(drill.name, None, "the run ended before it") for drill in planned[len(played) :]]
        show(verdict_table.suite(lines))
    codes = [result.code for result in played if not result.skipped]
    if together is not None and codes:
        codes.append(together.code)
    return worst(codes)


def _line(result: Played) -> tuple[str, Answer | None, str]:
    """Return one drill's line of the suite's table: name, answer (None: not played), and a sentence."""
    from tocsin.harness.judging.check import Answer
    from tocsin.harness.report.verdict_table import counts, relative, times

    name, summary = result.drill.name, result.summary
    if result.skipped:
        return name, None, result.sentence
    if summary is None:
        return name, Answer.UNKNOWN, result.sentence
    return name, summary.answer, f"{counts(summary)}; {times(summary)}; {relative(summary.folder)}"
