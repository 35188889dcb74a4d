"""play: THE loop. It follows the timeline's steps, and between them watches witnesses, servers and the clock.

No branch on a fault's type: guard -> inject -> witness -> heal -> witness, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.scenario import Step, Timeline
from tocsin.harness.faults.bases.fault import Fault, Witness

LEAD_S = 0.5
"""Wall seconds between arming the traffic process and the first phase."""
WITNESS_EVERY_S = 0.3
"""Wall seconds between two looks at a fault whose effect (or whose end) is still awaited."""


@dataclass(kw_only=True)
class Breakage:
    """A fault in play and what is awaited of it: `present` after inject, `absent` after heal, else None."""

    name: str
    fault: Fault
    awaited: str | None = None
    injected: bool = False
    healed: bool = False
    looked_at: float = 0.0

    def inject(self, live: LiveStack, journal: Journal, params: Mapping[str, Any]) -> None:
        """Write it down, then break it."""
        live.guard(self.name, kind=self.fault.kind, params=params, outlives=getattr(self.fault, "outlives", False))
        journal.note("inject", fault=self.name)
        self.injected = True
        self.fault.inject(live)
        journal.note("injected", fault=self.name)
        self.awaited = "present"

    def heal(self, live: LiveStack, journal: Journal) -> None:
        """Mend it; the proof comes from `look`."""
        journal.note("heal", fault=self.name)
        self.fault.heal(live)
        self.healed = True
        live.healed(self.name)
        journal.note("healed", fault=self.name)
        self.awaited = "absent"

    def look(self, live: LiveStack, journal: Journal, now: float) -> None:
        """Ask the witness, if something is awaited and the last look is long enough ago."""
        if self.awaited is None or now - self.looked_at < WITNESS_EVERY_S:
            return
        self.looked_at = now
        try:
            seen = self.fault.witness(live)
        except (OSError, StackError) as error:
            seen = Witness(state="cannot_tell", detail=str(error))
        journal.note("witness", fault=self.name, state=seen.state, detail=seen.detail)
        if seen.state == self.awaited:
            self.awaited = None


@dataclass(kw_only=True)
class Playing:
    """All that play needs. `deadline` is epoch seconds after which the drill is given up, or None."""

    timeline: Timeline
    live: LiveStack
    journal: Journal
    clock: Clock
    traffic: Any
    breakages: Mapping[str, Breakage]
    watch: Callable[[Mapping[str, Any]], None] = lambda update: None
    deadline: float | None = None
    phase: str = ""
    start: float = field(default=0.0)


def play(playing: Playing) -> None:
    """Play the whole timeline. StackError if a server or the generator ends unasked, or the time is over."""
    clock = playing.clock
    playing.start = clock.now() + LEAD_S
    playing.traffic.start(playing.start)
    playing.journal.note("traffic_started", starts_at=playing.start)
    for step in playing.timeline.steps:
        _until(playing, playing.start + step.at_s / playing.timeline.speed)
        _do(playing, step)


def _do(playing: Playing, step: Step) -> None:
    if step.action == "phase":
        playing.phase = step.name
        playing.journal.note("phase_started", phase=step.name)
    elif step.action == "inject":
        fault = next(fault for fault in playing.timeline.faults if fault.name == step.name)
        playing.breakages[step.name].inject(playing.live, playing.journal, fault.params)
    elif step.action == "heal":
        playing.breakages[step.name].heal(playing.live, playing.journal)
    else:
        playing.journal.note("play_ended")


def _until(playing: Playing, moment: float) -> None:
    """Watch until the moment has come: servers, generator, witnesses, deadline."""
    clock = playing.clock
    while True:
        now = clock.now()
        for role, detail in playing.live.died().items():
            playing.journal.note("role_died", role=role, detail=detail)
            raise RoleDied(detail, hint=f"See stack-logs/{role}.log.")
        playing.traffic.check()
        if playing.deadline is not None and now > playing.deadline:
            raise StackError("The drill ran past its --timeout.", hint="Raise --timeout or --speed.")
        for breakage in playing.breakages.values():
            breakage.look(playing.live, playing.journal, now)
        playing.watch(_progress(playing, now))
        now = clock.now()
        if now >= moment:
            return
        clock.sleep(min(0.1, moment - now))


def _progress(playing: Playing, now: float) -> Mapping[str, Any]:
    rate = playing.traffic.latest_rate or {}
    elapsed_s = min(max(now - playing.start, 0.0) * playing.timeline.speed, playing.timeline.length_s)
    broken = [b.name for b in playing.breakages.values() if b.injected and not b.healed]
    return {
        "stage": "play",
        "phase": playing.phase,
        "elapsed_s": elapsed_s,
        "length_s": playing.timeline.length_s,
        "speed": playing.timeline.speed,
        "rate": rate,
        "faults": broken,
    }
