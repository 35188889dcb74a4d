"""One metric is not on the page any more; every rule about it falls silent."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.metrics_page import METRIC, PageFault, samples

_OF_A_HISTOGRAM = ("", "_bucket", "_sum", "_count")


class MetricsMissingParams(Params):
    """`metric` that is left out, by its full name; of a histogram all its series."""

    metric: str = Field(pattern=METRIC)


class MetricsMissing(PageFault):
    """Leaves the metric out through the service's hook; the witness looks for it as a scraper does."""

    kind: ClassVar[str] = "metrics_missing"
    summary: ClassVar[str] = "A metric is not on the page any more."
    Params: ClassVar[type[Params]] = MetricsMissingParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return drift if the metric is one of its own."""
        drift = stack.signals.drift
        own = {drift.score.metric, drift.detected.metric, drift.checked.metric} if drift else set()
        return super().blinds(stack) if self.params.metric in own else ()

    def witness(self, live: LiveStack) -> Witness:
        """A page without any sample of it: present. With one: absent."""
        status, page = self.scrape(live)
        names = {self.params.metric + ending for ending in _OF_A_HISTOGRAM}
        every = [name for name, _ in samples(page)]
        found = sum(name in names for name in every)
        detail = f"{found} of {len(every)} samples are of {self.params.metric}"
        if status != 200 or not every:
            return Witness(state="cannot_tell", detail=f"/metrics answers {status}; {detail}")
        return Witness(state="absent" if found else "present", detail=detail)
