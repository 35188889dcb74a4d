"""A role crashes again and again: each time it is started, it is killed after a while."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tocsin.harness.core.base_model import Seconds
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, begun_later, remembered


class CrashLoopParams(RoleParams):
    """`up`: how long it lives once it is healthy; `down`: how long until it is started again; production time."""

    up: Seconds = Field(default=60.0, gt=0)
    down: Seconds = Field(default=30.0, ge=0)


class CrashLoop(RoleFault):
    """Kills a role and starts it, again and again, in the background; the witness compares its processes."""

    kind: ClassVar[str] = "crash_loop"
    summary: ClassVar[str] = "A role crashes, is started, and crashes again."
    Params: ClassVar[type[Params]] = CrashLoopParams

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, and begin with killing it."""
        remembered(live, self._record(live).name, role=self.params.role)
        live.repeat(self._record(live).name, lambda: self._turn(live))

    def heal(self, live: LiveStack) -> None:
        """End the loop, and start the role if it does not run."""
        live.cease(self._record(live).name)
        self._record(live).unlink(missing_ok=True)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, or none: present. After the heal, well: absent."""
        return begun_later(live, self._record(live), role=self.params.role)

    def _turn(self, live: LiveStack) -> float:
        """Kill it if it runs, else start it; return the wall seconds until the next turn."""
        if live.alive(self.params.role):
            live.stop(self.params.role, kill=True)
            return float(self.params.down) / live.speed
        live.restart(self.params.role)
        return float(self.params.up) / live.speed

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"crash-loop-{self.params.role}"
