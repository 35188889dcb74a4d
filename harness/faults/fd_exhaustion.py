"""Lowers a role's limit on open files below what it has: it keeps its connections and gets no other."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.role import LimitFault, RoleParams, health, unanswered


class FdExhaustionParams(RoleParams):
    """`files`: how many files (and connections) it may have open; more than it has now change nothing."""

    files: int = Field(default=3, ge=3)
    example = {"role": "model", "files": 5}


class FdExhaustion(LimitFault):
    """A role has no file descriptors left."""

    params: FdExhaustionParams
    capabilities = ("limit:open_files", "start")

    def inject(self, live: LiveStack) -> None:
        """Lower the limit; StackError if the role does not run."""
        live.limit(self.params.role, open_files=self.params.files)

    def witness(self, live: LiveStack) -> Witness:
        """A new connection gets no answer, and by the kernel no more files may be opened than are open: present."""
        role, usage = self.params.role, live.usage(self.params.role)
        used, most = usage.get("open_files"), usage.get("open_files_limit")
        if used is None or most is None:
            return cannot_tell(f"{role} does not run")
        if most > used:
            return health(live, role)
        detail = f"{role} has {used:.0f} files open and may have {most:.0f}"
        if live.stack.roles[role].health.http is None:
            return present(detail)
        reason = unanswered(live, role)
        if reason:
            return present(f"{detail}; {reason}")
        return cannot_tell(f"{detail}; a new connection is answered all the same")
