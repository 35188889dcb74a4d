"""Makes the model raise for a share of the requests: clients see HTTP 500, and so does the witness."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent_if, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, ShareParams, enough_probes


class ModelRaises(HookFault):
    """The model raises for a share of the requests."""

    params: ShareParams

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: any 500 shows the fault, all 200 its absence.

        20 to 200 requests are sent, as many as the share takes: one look in a hundred misses it.
        """
        statuses = live.prober.probe(enough_probes(self.params.share))
        failed, answered = statuses.count(500), statuses.count(200)
        if failed:
            return present(f"{failed} of {len(statuses)} answered 500")
        return absent_if(answered == len(statuses) > 0, f"{answered} of {len(statuses)} answered 200")
