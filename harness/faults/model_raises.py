"""The model raises an exception for a share of the requests: clients see HTTP 500."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, enough_probes

_FEWEST, _MOST = 20, 200


class ModelRaisesParams(Params):
    """`share` of the requests that fail, in (0, 1]."""

    share: float = Field(gt=0, le=1)


class ModelRaises(HookFault):
    """Switches the fault on and off through the service's hook; the witness asks the service as a client does."""

    kind: ClassVar[str] = "model_raises"
    summary: ClassVar[str] = "The model raises for a share of the requests."
    Params: ClassVar[type[Params]] = ModelRaisesParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: any 500 shows the fault, all 200 its absence.

        So many are sent that a fault of this share is missed by one look in a hundred at most (20 to 200 requests).
        """
        statuses = live.prober.probe(self.probes)
        failed = sum(status == 500 for status in statuses)
        if failed:
            return Witness(state="present", detail=f"{failed} of {len(statuses)} answered 500")
        answered = sum(status == 200 for status in statuses)
        state = "absent" if statuses and answered == len(statuses) else "cannot_tell"
        return Witness(state=state, detail=f"{answered} of {len(statuses)} answered 200")  # type: ignore[arg-type]

    @property
    def probes(self) -> int:
        """How many requests one look takes."""
        return enough_probes(self.params.share, fewest=_FEWEST, most=_MOST)
