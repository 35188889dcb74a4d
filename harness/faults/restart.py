"""Kills a role and starts it on the same ports, as a supervisor does; the witness compares processes."""

from __future__ import annotations

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import NewProcessFault


class Restart(NewProcessFault):
    """A role is killed and started again at once."""

    restarts_role = "at_once"

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, kill it, and start it again."""
        self.remember(live)
        live.stop(self.params.role, kill=True)
        live.restart(self.params.role)
