"""A role is killed and started again at once, as a supervisor does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import psutil

from harness.faults.base import Params, Witness
from harness.faults.roles import RoleFault, RoleParams, health, pid_of
from harness.stack import LiveStack


class Restart(RoleFault):
    """Ends a role and starts it on the same ports; the witness compares the process that runs with the one before."""

    kind: ClassVar[str] = "restart"
    summary: ClassVar[str] = "A role is killed and started again at once."
    Params: ClassVar[type[Params]] = RoleParams

    def inject(self, live: LiveStack) -> None:
        """Write down when the process began, kill it, and start it again."""
        record = self._record(live)
        if not record.exists():
            record.write_text(repr(_began(live, self.params.role)), encoding="ascii")
        live.stop(self.params.role, kill=True)
        live.restart(self.params.role)

    def heal(self, live: LiveStack) -> None:
        """Forget the process before; start the role if it does not run."""
        self._record(live).unlink(missing_ok=True)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, or none: present. After the heal, well: absent."""
        role, record = self.params.role, self._record(live)
        if not record.exists():
            return health(live, role)
        began = _began(live, role)
        if began is None:
            return Witness(state="present", detail=f"{role} does not run")
        if repr(began) == record.read_text(encoding="ascii"):
            return Witness(state="absent", detail=f"{role} is the process that it was")
        return Witness(state="present", detail=f"{role} is a process that began later")

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"restart-{self.params.role}"


def _began(live: LiveStack, role: str) -> tuple[int, float] | None:
    """Return the pid of a role's process and when it began, by the kernel; None when there is none."""
    pid = pid_of(live, role)
    try:
        return (pid, psutil.Process(pid).create_time()) if pid is not None else None
    except psutil.NoSuchProcess:
        return None
