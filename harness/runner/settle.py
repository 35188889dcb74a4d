"""settle: heals what is left and proves it, then waits until every signal has caught up or its time is over."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.harness.collectors.collector import Collector
from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import HealError, WaitTimeout
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.runner.play import Breakage

CATCH_UP_S = 30.0
"""Wall seconds for a witness, or for the slowest signal, after a drill that was played to its end."""
HURRY_S = 3.0
"""The same after Ctrl-C, so that all is over within 10 s."""


def patience_s(usual_s: float, *, hurry: bool) -> float:
    """Return the wall seconds to wait for something: after Ctrl-C no more than HURRY_S."""
    if hurry:
        return HURRY_S
    return usual_s


def heal_all(breakages: Sequence[Breakage], live: LiveStack, journal: Journal, clock: Clock, *, hurry: bool) -> None:
    """Heal every fault that was injected and wait until its witness sees no effect; HealError names those left."""
    left = []
    for breakage in breakages:
        if not breakage.injected:
            continue
        try:
            if not breakage.healed:
                breakage.heal(live, journal)
            _prove(breakage, live, journal, clock, within_s=patience_s(CATCH_UP_S, hurry=hurry))
        except Exception as error:  # whatever it is, the others are healed, too
            reason = str(error).rstrip(".") or type(error).__name__
            left.append(f"{breakage.name} ({reason})")
    if left:
        raise HealError(f"Not healed: {'; '.join(left)}.", hint="The stack goes down with it.")


def _prove(breakage: Breakage, live: LiveStack, journal: Journal, clock: Clock, *, within_s: float) -> None:
    def gone() -> tuple[bool, str]:
        breakage.look(live, journal, clock.now())
        return breakage.awaited is None, f"{breakage.name} is not yet {breakage.awaited}"

    clock.wait_until(gone, awaited=f"the end of {breakage.name}", within_s=within_s)


def settle(
    live: LiveStack, run: Run, journal: Journal, recorders: Sequence[Collector], play: Interval, *, hurry: bool
) -> SettledWindow:
    """Wait until every signal has delivered what happened before now; the window names those that have not."""
    clock, at = run.clock, run.clock.now()
    behind = {recorder.name: "not asked" for recorder in recorders}

    def caught_up() -> tuple[bool, str]:
        for recorder in recorders:
            if recorder.name in behind:
                done, behind[recorder.name] = recorder.caught_up(live, run, at)
                if done:
                    del behind[recorder.name]
        return not behind, "; ".join(f"{name}: {state}" for name, state in behind.items())

    try:
        within_s = patience_s(CATCH_UP_S, hurry=hurry)
        clock.wait_until(caught_up, awaited="every signal to catch up", within_s=within_s, every_s=0.1)
    except WaitTimeout as error:
        journal.note("error", message=error.message)
    for recorder in recorders:
        state = behind.get(recorder.name, "")
        journal.note("caught_up", signal=recorder.name, done=not state, detail=state)
    journal.note("settled")
    return SettledWindow(play=play, settled_at=clock.now(), behind=behind)
