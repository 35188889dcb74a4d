"""Leaves one metric out of the page, so that every rule about it falls silent; the witness looks for it."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import METRIC, PageFault, samples

_OF_A_HISTOGRAM = ("", "_bucket", "_sum", "_count")


class MetricsMissingParams(Params):
    """`metric` that is left out, by its full name; of a histogram all its series."""

    metric: str = Field(pattern=METRIC)
    example = {"metric": "ml_predictions_total"}


class MetricsMissing(PageFault):
    """A metric is not on the page any more."""

    params: MetricsMissingParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return drift if the metric is one of its own."""
        drift = stack.signals.drift
        if drift is None or self.params.metric not in (drift.score.metric, drift.detected.metric, drift.checked.metric):
            return ()
        return super().blinds(stack)

    def witness(self, live: LiveStack) -> Witness:
        """A page without any sample of it: present. With one: absent."""
        status, page = self.scrape(live)
        own = {self.params.metric + ending for ending in _OF_A_HISTOGRAM}
        names = [name for name, _ in samples(page)]
        count = sum(name in own for name in names)
        detail = f"{count} of {len(names)} samples are of {self.params.metric}"
        if status != 200 or not names:
            return cannot_tell(f"/metrics answers {status}; {detail}")
        return present_if(count == 0, detail)
