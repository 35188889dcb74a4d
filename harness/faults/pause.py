"""A role is frozen (SIGSTOP) with all its processes: it accepts connections, and answers nothing."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import ClassVar

import psutil

from harness.errors import StackError
from harness.faults.base import Params, Witness
from harness.faults.roles import RoleFault, RoleParams, family, health, pid_of
from harness.stack import LiveStack


class Pause(RoleFault):
    """Stops a role's processes and lets them go on; the witness asks the kernel what state they are in."""

    kind: ClassVar[str] = "pause"
    summary: ClassVar[str] = "A role is frozen, and goes on at the end."
    Params: ClassVar[type[Params]] = RoleParams

    def inject(self, live: LiveStack) -> None:
        """Stop its processes; StackError if it has none."""
        if not self._send(live, signal.SIGSTOP):
            raise StackError(f"Role {self.params.role!r} does not run, so it cannot be paused.")

    def heal(self, live: LiveStack) -> None:
        """Let its processes go on."""
        self._send(live, signal.SIGCONT)

    def witness(self, live: LiveStack) -> Witness:
        """All processes stopped: present. None stopped, and the role is well: absent."""
        role = self.params.role
        states = [state for process in self._processes(live) if (state := _state(process))]
        stopped = states.count(psutil.STATUS_STOPPED)
        if stopped and stopped == len(states):
            return Witness(state="present", detail=f"{stopped} of {len(states)} processes of {role} are stopped")
        if stopped:
            return Witness(state="cannot_tell", detail=f"{stopped} of {len(states)} processes of {role} are stopped")
        return health(live, role)

    def _processes(self, live: LiveStack) -> list[psutil.Process]:
        pid = pid_of(live, self.params.role)
        return family(pid) if pid is not None else []

    def _send(self, live: LiveStack, number: signal.Signals) -> int:
        processes = self._processes(live)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return len(processes)


def _state(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return ""
