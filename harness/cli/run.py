"""tocsin run: plays drills, each on a fresh stack, and judges them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.harness.cli.options import (
    AllowFaults,
    AllowPages,
    EngineName,
    JUnit,
    Only,
    Runs,
    Scenarios,
    Seed,
    Speed,
    StackName,
)

if TYPE_CHECKING:
    from tocsin.harness.cli.play_drill import Played
    from tocsin.harness.cli.prepare import Drill
    from tocsin.harness.judging.check import Answer
    from tocsin.harness.judging.suite import Suite
    from tocsin.harness.report.junit_xml import Unjudged
    from tocsin.harness.report.summary import Summary


def run(
    scenarios: Scenarios,
    stack: StackName = None,
    engine: EngineName = "local",
    speed: Speed = 1.0,
    seed: Seed = None,
    runs: Runs = Path("runs"),
    only: Only = None,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="T", help="End a drill after T of wall time (5m, 90s); it is unknown."),
    ] = None,
    junit: JUnit = None,
    allow_faults: AllowFaults = False,
    allow_pages: AllowPages = False,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Play on when a signal's canary is not seen; only its checks are unknown."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, max=64, help="Send the load from N processes of this machine."),
    ] = None,
    remote_workers: Annotated[
        int,
        typer.Option("--remote-workers", metavar="N", min=0, max=64, help="Wait for N `tocsin worker` elsewhere, too."),
    ] = 0,
    bind: Annotated[
        str, typer.Option("--bind", metavar="HOST[:PORT]", help="Where to listen for workers elsewhere.")
    ] = "127.0.0.1",
) -> int:
    """Play drills, each on a fresh stack, and judge them."""
    from tocsin.harness.cli import engine_registry, worker
    from tocsin.harness.cli.catalogue import catalogue
    from tocsin.harness.cli.play_drill import Options, play
    from tocsin.harness.cli.prepare import drills, gathered, refuse
    from tocsin.harness.cli.suite_checks import suite_of
    from tocsin.harness.provisioning.programs import cache_folder, find_all

    timeout_s, chosen, remote, found = gathered(
        lambda: _seconds(timeout),
        lambda: engine_registry.engine(engine),
        lambda: worker.remote(remote_workers, bind),
        lambda: drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed, workers=workers),
    )
    owns, writes = getattr(chosen, "owns_stack", False), [runs] if junit is None else [runs, junit.parent]
    refuse(found, only=only, writes=writes, owns_stack=owns, allow_faults=allow_faults, allow_pages=allow_pages)
    suite = suite_of(scenarios, (rule.name for drill in found for rule in drill.timeline.alerts))
    announce(found, chosen)
    needed = sorted({name for drill in found for name in engine_registry.programs_of(drill.timeline.stack, chosen)})
    options = Options(
        command=("tocsin", *sys.argv[1:]),
        runs=runs,
        engine=chosen,
        programs=find_all(needed, cache_folder()),
        only=only,
        timeout_s=timeout_s,
        keep_going=keep_going,
        remote=remote,
    )
    played: list[Played] = []
    for drill in found:
        played.append(play(drill, options))
        _show(played[-1])
        if played[-1].ended:
            break
    return _finish(found, played, junit, _together(found, played, suite, only) if len(found) > 1 or suite else None)


def _seconds(timeout: str | None) -> float | None:
    from tocsin.harness.core.clock import parse_duration
    from tocsin.harness.core.errors import Mistake, UsageError

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError:
        mistake = Mistake(
            file="--timeout", line=0, where="timeout", value=str(timeout), expected="a duration such as 90s or 15m"
        )
        raise UsageError([mistake]) from None


def announce(found: tuple[Drill, ...], engine: Any = None) -> None:
    """Say how long it will take, and what it needs, before anything starts."""
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.cli.console import say
    from tocsin.harness.core.clock import format_duration
    from tocsin.harness.provisioning import programs

    around_s = engine_registry.around_play_s(engine)
    for drill in found:
        timeline = drill.timeline
        length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
        around = f"and about {around_s} s around it"
        say(f"{drill.name}: {length} of production time at speed {timeline.speed:g} play in {wall}, {around}.")
        for warning in timeline.warnings:
            say(f"{drill.name}: warning: {warning}")
    if len(found) > 1:
        total_s = sum(drill.timeline.wall_s + around_s for drill in found)
        say(f"{len(found)} drills, one after the other: about {format_duration(round(total_s))}.")
    needed = max((engine_registry.memory_mib_of(drill.timeline.stack) for drill in found), default=0)
    names = sorted({name for drill in found for name in engine_registry.programs_of(drill.timeline.stack, engine)})
    free = programs.memory_mib()
    say(
        f"Needs about {needed} MiB of memory ({free} MiB are available) and {', '.join(names) or 'no further program'}."
    )
    if free < needed:
        say("warning: With less memory than that, servers may be killed and the answer be unknown. Close what you can.")


def _show(played: Played) -> None:
    from tocsin.harness.cli.console import show
    from tocsin.harness.report import verdict_table

    if played.summary is not None:
        show(verdict_table.drill(played.summary))
    elif played.skipped:
        show(f"{played.drill.name} was not played: {played.sentence}")


def _together(found: tuple[Drill, ...], played: list[Played], suite: Suite | None, only: str | None) -> Summary | None:
    """Say which alerts fired in at least one drill, and judge what the suite file asks of all drills together."""
    from tocsin.harness.cli.console import show
    from tocsin.harness.cli.suite_checks import together
    from tocsin.harness.report import verdict_table

    judged = {one.drill.path: one.summary.folder for one in played if one.summary is not None}
    unplayed = [drill.timeline.scenario for drill in found if drill.path not in judged]
    told, summary = together(suite, list(judged.values()), unplayed, only)
    if told and summary is None:
        show(f"\nRules: {told}")
    if summary is not None:
        show(verdict_table.together(summary))
    return summary


def _finish(found: tuple[Drill, ...], played: list[Played], junit: Path | None, suite: Summary | None) -> int:
    """Write the merged JUnit file, show the suite, and return the exit code of all drills."""
    from tocsin.harness.cli.console import show
    from tocsin.harness.core.errors import worst
    from tocsin.harness.report import junit_xml as xml
    from tocsin.harness.report import verdict_table

    if junit is not None:
        every = [*(_for_junit(one) for one in played), *([suite] if suite else [])]
        junit.write_text(xml.document(every), encoding="utf-8")
    if len(found) > 1:
        lines = [(one.drill.name, _answer(one), _sentence(one)) for one in played]
        lines += [(drill.name, None, "the run ended before it") for drill in found[len(played) :]]
        show(verdict_table.suite(lines))
    codes = [one.code for one in played if not one.skipped]
    return worst([*codes, *([suite.code] if suite and codes else [])])


def _for_junit(one: Played) -> Summary | Unjudged:
    from tocsin.harness.report.junit_xml import Unjudged

    return one.summary or Unjudged(scenario=one.drill.name, sentence=one.sentence, skipped=one.skipped)


def _answer(one: Played) -> Answer | None:
    from tocsin.harness.judging.check import Answer

    return None if one.skipped else one.summary.answer if one.summary else Answer.UNKNOWN


def _sentence(one: Played) -> str:
    from tocsin.harness.report import verdict_table

    if one.summary is None:
        return one.sentence
    return f"{verdict_table.counts(one.summary)}; {verdict_table.times(one.summary)}; {verdict_table.relative(one.summary.folder)}"
