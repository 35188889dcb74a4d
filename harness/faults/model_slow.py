"""The model takes longer for a share of the requests; the others are answered as quickly as ever."""

from __future__ import annotations

import time
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, enough_probes

_FEWEST, _MOST = 5, 60
_SLOW = 0.8


class ModelSlowParams(Params):
    """`delay_ms` added to `share` of the requests, in wall time: no speed divides it."""

    delay_ms: float = Field(ge=10, le=60_000)
    share: float = Field(default=1.0, gt=0, le=1)


class ModelSlow(HookFault):
    """Switches the delay on and off through the service's hook; the witness times requests as a client does."""

    kind: ClassVar[str] = "model_slow"
    summary: ClassVar[str] = "The model takes longer for a share of the requests."
    Params: ClassVar[type[Params]] = ModelSlowParams

    def witness(self, live: LiveStack) -> Witness:
        """Time single requests until one takes four fifths of the delay; none of 5 to 60 does: absent."""
        slowest_ms = 0.0
        for _ in range(enough_probes(self.params.share, fewest=_FEWEST, most=_MOST)):
            began = time.perf_counter()
            statuses = live.prober.probe(1)
            slowest_ms = max(slowest_ms, 1000 * (time.perf_counter() - began))
            if not statuses or not statuses[0]:
                return Witness(state="cannot_tell", detail="no answer")
            if slowest_ms >= _SLOW * self.params.delay_ms:
                return Witness(state="present", detail=f"one answer took {slowest_ms:.0f} ms")
        return Witness(state="absent", detail=f"the slowest answer took {slowest_ms:.0f} ms")
