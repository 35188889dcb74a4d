"""A role is killed (SIGKILL), and started again by the heal."""

from __future__ import annotations

import socket
from typing import ClassVar

from harness.faults.base import Params, Witness
from harness.faults.roles import RoleFault, RoleParams, health
from harness.stack import LiveStack

_CONNECT_S = 2.0


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
        role = self.params.role
        local = live.stack.roles[role].local
        if local is not None and local.health.http is None:
            return _alive(live, role)
        address = live.address(role)
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        except ConnectionRefusedError:
            return Witness(state="present", detail=f"{role} at {address} refuses connections")
        except OSError as error:
            return Witness(state="cannot_tell", detail=f"{role} at {address}: {error}")
        return health(live, role)


def _alive(live: LiveStack, role: str) -> Witness:
    if live.alive(role):
        return Witness(state="absent", detail=f"{role} runs")
    return Witness(state="present", detail=f"{role} does not run")
