"""The service restarts, and its first requests are slow: caches are filled by use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.faults.bases.role import blinded

_PROBES = 3
_SLOW = 0.8


class ColdStartParams(Params):
    """The first `requests` after the restart take `delay_ms` longer, in wall time: no speed divides it."""

    delay_ms: float = Field(ge=50, le=10_000)
    requests: int = Field(default=500, ge=20, le=100_000)


class ColdStart(HookFault):
    """Restarts the role and delays its first answers through the hook; the witness times requests as a client does."""

    kind: ClassVar[str] = "cold_start"
    summary: ClassVar[str] = "The service restarts, and its first requests are slow."
    Params: ClassVar[type[Params]] = ColdStartParams

    def needs(self) -> tuple[str, ...]:
        """Return the hook, and a role that can be started anew."""
        return (*super().needs(), "handle:start")

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return what a restart of the role blinds."""
        return blinded(self.role(stack), stack)

    def inject(self, live: LiveStack) -> None:
        """Restart it, then let it be cold."""
        role = self.role(live.stack)
        self._record(live).touch()
        live.stop(role, kill=True)
        live.restart(role)
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Let it be warm; start it if it was ended here and does not run."""
        role, record = self.role(live.stack), self._record(live)
        if record.exists() and not live.alive(role):
            live.restart(role)
        record.unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """Time single requests: one that takes four fifths of the delay shows the fault, none of three its absence."""
        slowest_ms = 0.0
        for _ in range(_PROBES):
            began = time.perf_counter()
            statuses = live.prober.probe(1)
            slowest_ms = max(slowest_ms, 1000 * (time.perf_counter() - began))
            if not statuses or not statuses[0]:
                return Witness(state="cannot_tell", detail="no answer")
            if slowest_ms >= _SLOW * self.params.delay_ms:
                return Witness(state="present", detail=f"one answer took {slowest_ms:.0f} ms")
        return Witness(state="absent", detail=f"the slowest answer took {slowest_ms:.0f} ms")

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"cold_start-{self.role(live.stack)}"
