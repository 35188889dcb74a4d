"""Restarts a role whose first answers are slow, as where caches are filled by use; the witness times requests."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, time_answers
from tocsin.harness.faults.bases.role import blinded, start_again

_PROBES = 3


class ColdStartParams(Params):
    """The first `requests` after the restart take `delay_ms` longer, in wall time: no speed divides it."""

    delay_ms: float = Field(ge=50, le=10_000)
    requests: int = Field(default=500, ge=20, le=100_000)
    example = {"delay_ms": 300}


class ColdStart(HookFault):
    """The service restarts, and its first requests are slow."""

    params: ColdStartParams
    capabilities = ("start",)
    restarts_role = "at_once"

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return what a restart of the role blinds."""
        return blinded(self.role(stack), stack)

    def inject(self, live: LiveStack) -> None:
        """Restart the role, then let it be cold."""
        role = self.role(live.stack)
        self.record(live).touch()
        live.stop(role, kill=True)
        live.restart(role)
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Let the role be warm; start it if it was ended here and does not run."""
        record = self.record(live)
        if record.exists():
            start_again(live, self.role(live.stack))
        record.unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """Time three requests: one that takes four fifths of the delay shows the fault."""
        return time_answers(live, _PROBES, self.params.delay_ms)
