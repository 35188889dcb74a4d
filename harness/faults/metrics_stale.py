"""Freezes the page: the target is up, and nothing on it is true any more; the witness watches a counter."""

from __future__ import annotations

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import PageFault, total

_PROBES = 3


class MetricsStale(PageFault):
    """The page of metrics is frozen; the target stays up."""

    def witness(self, live: LiveStack) -> Witness:
        """Requests are answered and the request counter does not move: present. It moves: absent."""
        signal = live.stack.signals.requests
        if signal is None:
            raise StackError("The stack names no request counter.", hint="Add `signals: requests:` to stack.yaml.")
        before = total(self.scrape(live)[1], signal.metric)
        statuses = live.prober.probe(_PROBES)
        after = total(self.scrape(live)[1], signal.metric)
        detail = f"{signal.metric} was {before} and is {after} after {statuses.count(200)} answered requests"
        if before is None or after is None or not statuses.count(200):
            return cannot_tell(detail)
        return present_if(after == before, detail)
