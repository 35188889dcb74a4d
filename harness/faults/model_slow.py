"""Delays a share of the requests, the others are as quick as ever; the witness times requests as a client does."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, enough_probes, time_answers


class ModelSlowParams(Params):
    """`delay_ms` added to `share` of the requests, in wall time: no speed divides it."""

    delay_ms: float = Field(ge=10, le=60_000)
    share: float = Field(default=1.0, gt=0, le=1)
    example = {"delay_ms": 200, "share": 0.5}


class ModelSlow(HookFault):
    """The model takes longer for a share of the requests."""

    params: ModelSlowParams

    def witness(self, live: LiveStack) -> Witness:
        """Time single requests until one takes four fifths of the delay; none of 5 to 60 does: absent."""
        return time_answers(live, enough_probes(self.params.share, fewest=5, most=60), self.params.delay_ms)
