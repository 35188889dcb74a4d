"""Kills a role whenever it has been up for a while, and starts it again; the witness compares processes."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import NewProcessFault, RoleParams


class CrashLoopParams(RoleParams):
    """`up`: how long it lives once it is healthy; `down`: how long until it is started again; production time."""

    up: Seconds = Field(default=60.0, gt=0)
    down: Seconds = Field(default=30.0, ge=0)
    example = {"role": "model", "up": "1m", "down": "20s"}


class CrashLoop(NewProcessFault):
    """A role crashes, is started, and crashes again."""

    params: CrashLoopParams
    restarts_role = "looping"

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, and begin with killing it."""
        self.remember(live)
        live.repeat(self.record(live).name, lambda: self._turn(live))

    def heal(self, live: LiveStack) -> None:
        """End the loop, and start the role if it does not run."""
        live.cease(self.record(live).name)
        super().heal(live)

    def _turn(self, live: LiveStack) -> float:
        """Kill it if it runs, else start it; return the wall seconds until the next turn."""
        if live.alive(self.params.role):
            live.stop(self.params.role, kill=True)
            return self.params.down / live.speed
        live.restart(self.params.role)
        return self.params.up / live.speed
