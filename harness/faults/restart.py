"""A role is killed and started again at once, as a supervisor does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, begun_later, remembered


class Restart(RoleFault):
    """Ends a role and starts it on the same ports; the witness compares the process that runs with the one before."""

    kind: ClassVar[str] = "restart"
    summary: ClassVar[str] = "A role is killed and started again at once."
    Params: ClassVar[type[Params]] = RoleParams

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, kill it, and start it again."""
        remembered(live, self._record(live).name, role=self.params.role)
        live.stop(self.params.role, kill=True)
        live.restart(self.params.role)

    def heal(self, live: LiveStack) -> None:
        """Forget the process before; start the role if it does not run."""
        self._record(live).unlink(missing_ok=True)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, or none: present. After the heal, well: absent."""
        return begun_later(live, self._record(live), role=self.params.role)

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"restart-{self.params.role}"
