"""A role has no file descriptors left: connections that it has go on, and it cannot take or make another."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleFault, RoleParams, health, unanswered


class FdExhaustionParams(RoleParams):
    """`files`: how many files (and connections) it may have open; more than it has now change nothing."""

    files: int = Field(default=3, ge=3)


class FdExhaustion(RoleFault):
    """Lowers a role's limit on open files below what it has; the witness comes as a caller with a new connection."""

    kind: ClassVar[str] = "fd_exhaustion"
    summary: ClassVar[str] = "A role has no file descriptors left."
    Params: ClassVar[type[Params]] = FdExhaustionParams
    handles: ClassVar[tuple[str, ...]] = ("limit:open_files", "start")

    def inject(self, live: LiveStack) -> None:
        """Lower the limit; StackError if the role does not run."""
        live.limit(self.params.role, open_files=self.params.files)

    def heal(self, live: LiveStack) -> None:
        """Lift it, and start the role if it did not survive."""
        live.limit(self.params.role)
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """A new connection gets no answer, and by the kernel no more files may be opened than are open: present."""
        role, usage = self.params.role, live.usage(self.params.role)
        used, most = usage.get("open_files"), usage.get("open_files_limit")
        if used is None or most is None:
            return Witness(state="cannot_tell", detail=f"{role} does not run")
        if most > used:
            return health(live, role)
        detail = f"{role} has {used:.0f} files open and may have {most:.0f}"
        if live.stack.roles[role].health.http is None:
            return Witness(state="present", detail=detail)
        silent = unanswered(live, role)
        state = "present" if silent else "cannot_tell"
        return Witness(state=state, detail=f"{detail}; {silent or 'a new connection is answered all the same'}")  # type: ignore[arg-type]
