"""Freezes all processes of a role (SIGSTOP): it accepts connections, and answers nothing."""

from __future__ import annotations

import signal

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import RoleFault, health


class Pause(RoleFault):
    """A role is frozen, and goes on at the end."""

    capabilities = ("freeze",)

    def inject(self, live: LiveStack) -> None:
        """Stop its processes; StackError if it has none."""
        if not live.signal(self.params.role, signal.SIGSTOP):
            raise StackError(f"Role {self.params.role!r} does not run, so it cannot be paused.")

    def heal(self, live: LiveStack) -> None:
        """Let its processes go on."""
        live.signal(self.params.role, signal.SIGCONT)

    def witness(self, live: LiveStack) -> Witness:
        """All processes stopped, by the kernel: present. None stopped, and the role is well: absent."""
        role = self.params.role
        frozen, processes = live.frozen(role)
        if not frozen:
            return health(live, role)
        detail = f"{frozen} of {processes} processes of {role} are stopped"
        return present_if(frozen == processes, detail, otherwise="cannot_tell")
