"""`/metrics` answers with the same page for ever: the target is up, and nothing on it is true any more."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.metrics_page import PageFault, total

_PROBES = 3


class MetricsStale(PageFault):
    """Freezes the page through the service's hook; the witness reads the request counter before and after requests."""

    kind: ClassVar[str] = "metrics_stale"
    summary: ClassVar[str] = "The page of metrics is frozen; the target stays up."
    Params: ClassVar[type[Params]] = NoParams

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
            return Witness(state="cannot_tell", detail=detail)
        return Witness(state="present" if after == before else "absent", detail=detail)
