"""Ends a role without warning (SIGKILL); the witness connects to its address as its callers do."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import RoleFault, gone


class Kill(RoleFault):
    """A role is killed, and started again at the end."""

    restarts_role = "at_heal"

    def inject(self, live: LiveStack) -> None:
        """Kill it."""
        live.stop(self.params.role, kill=True)

    def witness(self, live: LiveStack) -> Witness:
        """Connect to it: refused shows the fault, a healthy answer its absence. Without an address: does it run?"""
        return gone(live, self.params.role)
