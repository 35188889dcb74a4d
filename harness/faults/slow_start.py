"""A role is restarted and does not come up: its new process stands still at its very beginning until the heal."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, begun_later, remembered, unanswered


class SlowStart(RoleFault):
    """Kills a role and freezes the process that takes its place; its start takes as long as the fault lasts."""

    kind: ClassVar[str] = "slow_start"
    summary: ClassVar[str] = "A role is restarted, and takes long to come up."
    Params: ClassVar[type[Params]] = RoleParams
    handles: ClassVar[tuple[str, ...]] = ("start", "freeze")

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, kill it, start another and freeze that."""
        remembered(live, self._record(live).name, role=self.params.role)
        live.stop(self.params.role, kill=True)
        live.restart(self.params.role, wait=False)
        live.signal(self.params.role, signal.SIGSTOP)

    def heal(self, live: LiveStack) -> None:
        """Let it go on, and wait until it is up."""
        if not self._record(live).exists():
            return
        live.signal(self.params.role, signal.SIGCONT)
        live.restart(self.params.role)
        self._record(live).unlink()

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, and a fresh connection gets no answer: present. It answers: absent."""
        role = self.params.role
        seen = begun_later(live, self._record(live), role=role)
        if seen.state != "present":
            return seen
        silent = unanswered(live, role)
        if not silent and live.alive(role):
            return Witness(state="absent", detail=f"{seen.detail}, and is up")
        return Witness(state="present", detail=f"{seen.detail}; {silent or 'it is not there'}")

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"slow-start-{self.params.role}"
