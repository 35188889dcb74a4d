"""play: the loop of a drill. It follows the timeline's steps; between them it watches witnesses, servers and the clock.

Every fault is treated alike: guard -> inject -> witness -> heal -> witness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, TypedDict

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.fault_contract import Witness
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.declarations.timeline import PlannedFault, Step, Timeline
from tocsin.harness.traffic.load_processes import TrafficProcess

LEAD_S = 0.5
"""Wall seconds between arming the traffic process and the first phase."""
WITNESS_EVERY_S = 0.3
"""Wall seconds between two questions to a witness whose answer is still awaited."""


class Progress(TypedDict, total=False):
    """An update for whoever watches a drill. A key that is left out keeps its last value.

    `elapsed_s` and `length_s` are production seconds of play; `rate` is the generator's last report.
    """

    stage: Literal["up", "ready", "play", "settle", "down"]
    note: str
    phase: str
    elapsed_s: float
    length_s: float
    rate: Mapping[str, float]
    faults: list[str]
    firing: list[str]


Watch = Callable[[Progress], None]


@dataclass(kw_only=True)
class Breakage:
    """A fault in play. `awaited` is what its witness must still see: `present` after inject, `absent` after heal."""

    planned: PlannedFault
    awaited: Literal["present", "absent"] | None = None
    injected: bool = False
    healed: bool = False
    looked_at: float = 0.0

    @property
    def name(self) -> str:
        """The name of the fault in its scenario."""
        return self.planned.name

    @property
    def in_force(self) -> bool:
        """Whether it was injected and is not healed."""
        return self.injected and not self.healed

    def inject(self, live: LiveStack, journal: Journal) -> None:
        """Write the fault down for the guardian, then inject it."""
        planned, fault = self.planned, self.planned.fault
        live.guard(self.name, kind=fault.kind, params=planned.params, outlives=fault.outlives)
        journal.note("inject", fault=self.name)
        self.injected = True
        fault.inject(live)
        journal.note("injected", fault=self.name)
        self.awaited = "present"

    def heal(self, live: LiveStack, journal: Journal) -> None:
        """Heal the fault; `look` brings the proof."""
        journal.note("heal", fault=self.name)
        self.planned.fault.heal(live)
        self.healed = True
        live.healed(self.name)
        journal.note("healed", fault=self.name)
        self.awaited = "absent"

    def look(self, live: LiveStack, journal: Journal, now: float) -> None:
        """Ask the witness, if something is awaited and the last question is long enough ago."""
        if self.awaited is None or now - self.looked_at < WITNESS_EVERY_S:
            return
        self.looked_at = now
        try:
            witness = self.planned.fault.witness(live)
        except (OSError, StackError) as error:
            witness = Witness(state="cannot_tell", detail=str(error))
        journal.note("witness", fault=self.name, state=witness.state, detail=witness.detail)
        if witness.state == self.awaited:
            self.awaited = None


@dataclass(kw_only=True)
class Playing:
    """All that play needs. `deadline` is epoch seconds after which the drill is given up."""

    timeline: Timeline
    live: LiveStack
    journal: Journal
    clock: Clock
    traffic: TrafficProcess
    breakages: Mapping[str, Breakage]
    watch: Watch = lambda progress: None
    deadline: float = inf
    phase: str = ""
    start: float = 0.0


def play(playing: Playing) -> None:
    """Play the whole timeline. StackError if a server or the generator ends unexpectedly, or the time is over."""
    playing.start = playing.clock.now() + LEAD_S
    playing.traffic.start(playing.start)
    playing.journal.note("traffic_started", starts_at=playing.start)
    for step in playing.timeline.steps:
        _watch_until(playing, playing.start + step.at_s / playing.timeline.speed)
        _do(playing, step)


def _do(playing: Playing, step: Step) -> None:
    if step.action == "phase":
        playing.phase = step.name
        playing.journal.note("phase_started", phase=step.name)
    elif step.action == "inject":
        playing.breakages[step.name].inject(playing.live, playing.journal)
    elif step.action == "heal":
        playing.breakages[step.name].heal(playing.live, playing.journal)
    else:
        playing.journal.note("play_ended")


def _watch_until(playing: Playing, moment: float) -> None:
    """Watch servers, generator, witnesses and deadline until the moment (epoch seconds) has come."""
    clock = playing.clock
    while True:
        now = clock.now()
        for role, detail in playing.live.died().items():
            playing.journal.note("role_died", role=role, detail=detail)
            raise role_died(role, detail)
        playing.traffic.check()
        if now > playing.deadline:
            raise StackError("The drill ran past its --timeout.", hint="Raise --timeout or --speed.")
        for breakage in playing.breakages.values():
            breakage.look(playing.live, playing.journal, now)
        playing.watch(_progress(playing, now))
        now = clock.now()
        if now >= moment:
            return
        clock.sleep(min(0.1, moment - now))


def role_died(role: str, detail: str) -> RoleDied:
    """Return the error of a server that ended unexpectedly, with where to read on."""
    return RoleDied(detail, hint=f"See stack-logs/{role}.log.")


def _progress(playing: Playing, now: float) -> Progress:
    elapsed_s = max(now - playing.start, 0.0) * playing.timeline.speed
    return {
        "stage": "play",
        "phase": playing.phase,
        "elapsed_s": min(elapsed_s, playing.timeline.length_s),
        "length_s": playing.timeline.length_s,
        "rate": playing.traffic.latest_rate,
        "faults": [breakage.name for breakage in playing.breakages.values() if breakage.in_force],
    }
