"""tocsin up: brings a stack up, plays nothing, and takes it down on Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.harness.cli import engine_registry
from tocsin.harness.cli.console import say, show
from tocsin.harness.cli.options import EngineName, Runs, Speed, StackFolder
from tocsin.harness.cli.sweep import sentences
from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import PASS, RoleDied, Terminated

if TYPE_CHECKING:
    from tocsin.harness.declarations.stack import Stack
    from tocsin.harness.declarations.stack_interface import LiveStack
    from tocsin.harness.declarations.timeline import Timeline
    from tocsin.harness.engines.common.run_folders import Run

LOOK_S = 1.0
"""Wall seconds between two checks that every server still runs."""


def up(
    stack: StackFolder = "reference", engine: EngineName = "local", speed: Speed = 1.0, runs: Runs = Path("runs")
) -> int:
    """Bring a stack up and print its addresses; play nothing.

    Ctrl-C takes it down and exits 0. If a server dies, exits 2.
    """
    from tocsin.harness.core.journal import Journal
    from tocsin.harness.engines.common.run_folders import make_run
    from tocsin.harness.planning.loader import load_stack
    from tocsin.harness.provisioning.programs import cache_folder, find_all

    chosen = engine_registry.engine(engine)
    declared = load_stack(stack)
    timeline = idle(declared, speed)
    programs = find_all(chosen.programs(declared), cache_folder())
    run = make_run("up", runs=runs, clock=RunClock(timeline.speed), programs=programs)
    for sentence in sentences(run.swept):
        say(sentence)
    try:
        journal = Journal(run.folder / "journal.jsonl", run.clock)
        with chosen.up(timeline, run, journal) as live:
            return _stay(live, run)
    finally:
        run.close()


def idle(stack: Stack, speed: float) -> Timeline:
    """Return the timeline of a drill that does nothing, so that an engine can bring the stack up for it."""
    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.declarations.scenario import Expectation, Phase, Scenario
    from tocsin.harness.planning.planner import plan

    scenario = Scenario(
        version=1,
        name="up",
        summary="Nothing is played.",
        stack=stack.name,
        timeline=(Phase.model_validate({"phase": "idle", "for": "1h"}),),
        expect=(Expectation(check="alerts/quiet", args={}),),
    )
    return plan(scenario, stack, catalogue(), None, speed)


def _stay(live: LiveStack, run: Run) -> int:
    """Print the addresses and wait: for Ctrl-C (0), or for a server that dies (2)."""
    from tocsin.harness.report.verdict_table import relative

    width = max(len(role) for role in live.stack.roles)
    for role, declared in live.stack.roles.items():
        addresses = [f"{port} {live.address(role, port)}" for port in declared.ports]
        show(f"{role:<{width}}  {', '.join(addresses)}")
    say(f"Up. Logs: {relative(run.folder / 'stack-logs')}. Ctrl-C takes it down.")
    try:
        while not (died := live.died()):
            run.clock.sleep(LOOK_S)
    except Terminated:
        raise
    except KeyboardInterrupt:
        say("Taking it down.")
        return PASS
    raise RoleDied(" ".join(died.values()), hint=f"Its log is in {relative(run.folder / 'stack-logs')}.")
