"""Makes the model raise for a share of the requests: clients see HTTP 500, and so does the witness."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault import Params, Witness, absent_if, present
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, enough_probes


class ModelRaisesParams(Params):
    """`share` of the requests that fail, in (0, 1]."""

    share: float = Field(gt=0, le=1)
    example = {"share": 0.5}


class ModelRaises(HookFault):
    """The model raises for a share of the requests."""

    params: ModelRaisesParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: any 500 shows the fault, all 200 its absence.

        So many are sent that a fault of this share is missed by one look in a hundred at most (20 to 200 requests).
        """
        statuses = live.prober.probe(enough_probes(self.params.share))
        failed, answered = statuses.count(500), statuses.count(200)
        if failed:
            return present(f"{failed} of {len(statuses)} answered 500")
        return absent_if(answered == len(statuses) > 0, f"{answered} of {len(statuses)} answered 200")
