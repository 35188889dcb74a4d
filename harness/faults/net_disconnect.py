"""A role is taken off its networks: nobody reaches it, it reaches nobody, and its name is not known any more."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, health, refusing


class NetDisconnect(RoleFault):
    """Takes a role off every network at once; the witness connects to it as its callers do, and asks the runtime."""

    kind: ClassVar[str] = "net_disconnect"
    summary: ClassVar[str] = "A role is off the network: every way to it and from it is gone."
    Params: ClassVar[type[Params]] = RoleParams
    handles: ClassVar[tuple[str, ...]] = ("disconnect",)

    def inject(self, live: LiveStack) -> None:
        """Take it off; StackError if the engine does not."""
        live.disconnect(self.params.role)

    def heal(self, live: LiveStack) -> None:
        """Put it on them again."""
        live.reconnect(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """It runs, is on no network, and its address is refused: present. On one, and it is well: absent."""
        role = self.params.role
        if not live.alive(role):
            return Witness(state="cannot_tell", detail=f"{role} does not run")
        if joined := live.networks(role):
            seen = health(live, role)
            return Witness(state=seen.state, detail=f"{role} is on {', '.join(joined)}; {seen.detail}")
        try:
            refused = refusing(live, role) if live.stack.roles[role].ports else f"{role} has no port to be called at"
        except OSError as error:
            return Witness(state="cannot_tell", detail=f"{role} at {live.address(role)}: {error}")
        detail = f"{role} runs and is on no network; {refused or 'its address is taken all the same'}"
        return Witness(state="present" if refused else "cannot_tell", detail=detail)
