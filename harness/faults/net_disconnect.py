"""Takes a role off its networks: nobody reaches it, it reaches nobody, and its name is not known any more."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import RoleFault, health, refusing


class NetDisconnect(RoleFault):
    """A role is off the network: every way to it and from it is gone."""

    capabilities = ("disconnect",)

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
            return cannot_tell(f"{role} does not run")
        networks = live.networks(role)
        if networks:
            well = health(live, role)
            return Witness(state=well.state, detail=f"{role} is on {', '.join(networks)}; {well.detail}")
        detail = f"{role} runs and is on no network"
        if not live.stack.roles[role].ports:
            return present(f"{detail}; {role} has no port to be called at")
        refused = refusing(live, role)
        if refused.state == "absent":
            return cannot_tell(f"{detail}; its address is taken all the same")
        if refused.state == "present":
            return present(f"{detail}; {refused.detail}")
        return refused
