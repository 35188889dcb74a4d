"""settle: heal what is left and prove it, then wait until every signal has caught up or its bound is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import HealError, WaitTimeout
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.evidence.evidence import Window
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.runner.play import Breakage

CATCH_UP_S = 30.0
"""Wall seconds given to the slowest signal after a drill played to its end."""
HURRY_S = 3.0
"""The same after Ctrl-C, so that all is over within 10 s."""


def heal_all(breakages: Sequence[Breakage], live: LiveStack, journal: Journal, clock: Clock, *, hurry: bool) -> None:
    """Heal every fault that was injected and wait for its witness's `absent`; HealError names what is left broken."""
    left = []
    for breakage in breakages:
        if not breakage.injected:
            continue
        try:
            if not breakage.healed:
                breakage.heal(live, journal)
            _prove(breakage, live, journal, clock, within_s=HURRY_S if hurry else CATCH_UP_S)
        except Exception as error:  # whatever it is, the others are healed, too
            left.append(f"{breakage.name} ({str(error).rstrip('.') or type(error).__name__})")
    if left:
        raise HealError(f"Not healed: {'; '.join(left)}.", hint="The stack goes down with it.")


def _prove(breakage: Breakage, live: LiveStack, journal: Journal, clock: Clock, *, within_s: float) -> None:
    def gone() -> tuple[bool, str]:
        breakage.look(live, journal, clock.now())
        return breakage.awaited is None, f"{breakage.name} still awaited to be {breakage.awaited}"

    clock.wait_until(gone, awaited=f"the end of {breakage.name}", within_s=within_s)


def settle(
    live: LiveStack, run: Any, journal: Journal, recorders: Sequence[Any], clock: Clock, play: Interval, *, hurry: bool
) -> Window:
    """Wait until everything sent before now has come out of every signal; what has not is named in the window."""
    at = clock.now()
    states = {recorder.name: "not asked" for recorder in recorders}

    def caught_up() -> tuple[bool, str]:
        for recorder in recorders:
            if states[recorder.name]:
                done, detail = recorder.caught_up(live, run, at)
                states[recorder.name] = "" if done else detail
        return not any(states.values()), "; ".join(f"{name}: {state}" for name, state in states.items() if state)

    try:
        clock.wait_until(
            caught_up, awaited="every signal to catch up", within_s=HURRY_S if hurry else CATCH_UP_S, every_s=0.1
        )
    except WaitTimeout as error:
        journal.note("error", message=error.message)
    for name, state in states.items():
        journal.note("caught_up", signal=name, done=not state, detail=state)
    journal.note("settled")
    return Window(play=play, settled_at=clock.now(), behind={name: state for name, state in states.items() if state})
