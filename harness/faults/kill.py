"""A role is killed (SIGKILL), and started again by the heal."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, gone


class Kill(RoleFault):
    """Ends a role without warning; the witness connects to its address as its callers do."""

    kind: ClassVar[str] = "kill"
    summary: ClassVar[str] = "A role is killed, and started again at the end."
    Params: ClassVar[type[Params]] = RoleParams

    def inject(self, live: LiveStack) -> None:
        """Kill it."""
        live.stop(self.params.role, kill=True)

    def heal(self, live: LiveStack) -> None:
        """Start it again on the same ports and wait until it is healthy, unless it runs."""
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """Connect to it: refused shows the fault, a healthy answer its absence. Without an address: does it run?"""
        return gone(live, self.params.role)
