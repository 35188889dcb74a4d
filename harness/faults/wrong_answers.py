"""Makes the model answer wrongly: accuracy falls, latency and errors do not; the witness reads the accuracy."""

from __future__ import annotations

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, ShareParams
from tocsin.harness.faults.bases.metrics_page import scrape, values

_FALLEN, _LEAST = 0.1, 0.02
"""A tenth of the share shows the fault, but never less than two in a hundred: a good model is wrong now and then."""


class WrongAnswers(HookFault):
    """The model answers wrongly for a share of the requests."""

    params: ShareParams

    def witness(self, live: LiveStack) -> Witness:
        """Read the accuracy gauge: a tenth of the share missing shows the fault. Without labels nobody can tell."""
        signal = live.stack.signals.accuracy
        if signal is None:
            raise StackError("The stack names no accuracy signal.", hint="Add `signals: accuracy:` to stack.yaml.")
        _, page = scrape(live, live.stack.payload.role)
        accuracies = values(page, signal.metric)
        if not accuracies:
            return cannot_tell(f"{signal.metric} has no value: no labels come back")
        lowest = min(accuracies)
        fallen = lowest < 1 - max(_FALLEN * self.params.share, _LEAST)
        return present_if(fallen, f"{signal.metric} is {lowest:.3f}")
