"""tocsin run: plays drills, each on a fresh stack, and judges them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import EngineName, JUnit, Only, Runs, Scenarios, Seed, Speed, StackName

if TYPE_CHECKING:
    from harness.check import Answer
    from harness.cli.drill import Played
    from harness.cli.prepare import Drill
    from harness.report.junit import Unjudged
    from harness.report.summary import Summary


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
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going", help="Play on when a signal's canary is not seen; only its checks are unknown."),
    ] = False,
) -> int:
    """Play drills, each on a fresh stack, and judge them."""
    from harness.catalogue import catalogue
    from harness.cli import parts
    from harness.cli.drill import Options, play
    from harness.cli.prepare import drills, gathered, refuse
    from harness.programs import cache_folder, find_all

    timeout_s, chosen, found = gathered(
        lambda: _seconds(timeout),
        lambda: parts.engine(engine),
        lambda: drills(scenarios, catalogue=catalogue(), stack=stack, seed=seed, speed=speed),
    )
    refuse(found, only=only, writes=[runs] if junit is None else [runs, junit.parent])
    announce(found)
    needed = sorted({name for drill in found for name in parts.programs_of(drill.timeline.stack)})
    options = Options(
        command=("tocsin", *sys.argv[1:]),
        runs=runs,
        engine=chosen,
        programs=find_all(needed, cache_folder()),
        only=only,
        timeout_s=timeout_s,
        keep_going=keep_going,
    )
    played: list[Played] = []
    for drill in found:
        played.append(play(drill, options))
        _show(played[-1])
        if played[-1].ended:
            break
    return _finish(found, played, junit)


def _seconds(timeout: str | None) -> float | None:
    from harness.clock import parse_duration
    from harness.errors import Mistake, UsageError

    try:
        return None if timeout is None else parse_duration(timeout)
    except ValueError:
        mistake = Mistake(
            file="--timeout", line=0, where="timeout", value=str(timeout), expected="a duration such as 90s or 15m"
        )
        raise UsageError([mistake]) from None


def announce(found: tuple[Drill, ...]) -> None:
    """Say how long it will take, and what it needs, before anything starts."""
    from harness import programs
    from harness.cli import parts
    from harness.cli.output import say
    from harness.clock import format_duration

    for drill in found:
        timeline = drill.timeline
        length, wall = format_duration(round(timeline.length_s)), format_duration(round(timeline.wall_s))
        around = f"and about {parts.AROUND_PLAY_S} s around it"
        say(f"{drill.name}: {length} of production time at speed {timeline.speed:g} play in {wall}, {around}.")
        for warning in timeline.warnings:
            say(f"{drill.name}: warning: {warning}")
    if len(found) > 1:
        total_s = sum(drill.timeline.wall_s + parts.AROUND_PLAY_S for drill in found)
        say(f"{len(found)} drills, one after the other: about {format_duration(round(total_s))}.")
    needed = max((parts.memory_mib_of(drill.timeline.stack) for drill in found), default=0)
    names = sorted({name for drill in found for name in parts.programs_of(drill.timeline.stack)})
    free = programs.memory_mib()
    say(
        f"Needs about {needed} MiB of memory ({free} MiB are available) and {', '.join(names) or 'no further program'}."
    )
    if free < needed:
        say("warning: With less memory than that, servers may be killed and the answer be unknown. Close what you can.")


def _show(played: Played) -> None:
    from harness.cli.output import show
    from harness.report import text

    if played.summary is not None:
        show(text.drill(played.summary))
    elif played.skipped:
        show(f"{played.drill.name} was not played: {played.sentence}")


def _finish(found: tuple[Drill, ...], played: list[Played], junit: Path | None) -> int:
    """Write the merged JUnit file, show the suite, and return the exit code of all drills."""
    from harness.cli.output import show
    from harness.errors import worst
    from harness.report import junit as xml
    from harness.report import text

    if junit is not None:
        junit.write_text(xml.document([_for_junit(one) for one in played]), encoding="utf-8")
    if len(found) > 1:
        lines = [(one.drill.name, _answer(one), _sentence(one)) for one in played]
        lines += [(drill.name, None, "the run ended before it") for drill in found[len(played) :]]
        show(text.suite(lines))
    return worst([one.code for one in played if not one.skipped])


def _for_junit(one: Played) -> Summary | Unjudged:
    from harness.report.junit import Unjudged

    return one.summary or Unjudged(scenario=one.drill.name, sentence=one.sentence, skipped=one.skipped)


def _answer(one: Played) -> Answer | None:
    from harness.check import Answer

    return None if one.skipped else one.summary.answer if one.summary else Answer.UNKNOWN


def _sentence(one: Played) -> str:
    from harness.report import text

    if one.summary is None:
        return one.sentence
    return f"{text.counts(one.summary)}; {text.times(one.summary)}; {text.relative(one.summary.folder)}"
