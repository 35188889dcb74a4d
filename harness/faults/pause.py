"""A role is frozen (SIGSTOP) with all its processes: it accepts connections, and answers nothing."""

from __future__ import annotations

import signal
from typing import ClassVar

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, health


class Pause(RoleFault):
    """Stops a role's processes and lets them go on; the witness asks the kernel what state they are in."""

    kind: ClassVar[str] = "pause"
    summary: ClassVar[str] = "A role is frozen, and goes on at the end."
    Params: ClassVar[type[Params]] = RoleParams
    handles: ClassVar[tuple[str, ...]] = ("freeze",)

    def inject(self, live: LiveStack) -> None:
        """Stop its processes; StackError if it has none."""
        if not live.signal(self.params.role, signal.SIGSTOP):
            raise StackError(f"Role {self.params.role!r} does not run, so it cannot be paused.")

    def heal(self, live: LiveStack) -> None:
        """Let its processes go on."""
        live.signal(self.params.role, signal.SIGCONT)

    def witness(self, live: LiveStack) -> Witness:
        """All processes stopped: present. None stopped, and the role is well: absent."""
        role = self.params.role
        stopped, all_of_it = live.frozen(role)
        detail = f"{stopped} of {all_of_it} processes of {role} are stopped"
        if stopped:
            return Witness(state="present" if stopped == all_of_it else "cannot_tell", detail=detail)
        return health(live, role)
