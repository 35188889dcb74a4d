"""Adds thousands of series to the page, as a label with a value per user does; the witness counts them."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, cannot_tell, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import PageFault, samples


class MetricsExplodeParams(Params):
    """`series` that come up, at once."""

    series: int = Field(ge=1000, le=50_000)
    example = {"series": 10_000}


class MetricsExplode(PageFault):
    """A label takes thousands of values."""

    params: MetricsExplodeParams

    def witness(self, live: LiveStack) -> Witness:
        """As many series of one name as were asked for: present. Fewer than a tenth of them: absent."""
        status, page = self.scrape(live)
        most = max(Counter(name for name, _ in samples(page)).values(), default=0)
        detail = f"/metrics answers {status} with up to {most} series of one name"
        if status != 200:
            return cannot_tell(detail)
        return witness_of(detail, shown=most >= self.params.series, well=most < self.params.series / 10)
