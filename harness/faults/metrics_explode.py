"""A label takes a value per user: thousands of new series on the page."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.metrics_page import PageFault, samples


class MetricsExplodeParams(Params):
    """`series` that come up, at once."""

    series: int = Field(ge=1000, le=50_000)


class MetricsExplode(PageFault):
    """Adds series through the service's hook; the witness counts them on the page as a scraper gets it."""

    kind: ClassVar[str] = "metrics_explode"
    summary: ClassVar[str] = "A label takes thousands of values."
    Params: ClassVar[type[Params]] = MetricsExplodeParams

    def witness(self, live: LiveStack) -> Witness:
        """As many series of one name as were asked for: present. Fewer than a tenth of them: absent."""
        status, page = self.scrape(live)
        most = max(Counter(name for name, _ in samples(page)).values(), default=0)
        detail = f"/metrics answers {status} with up to {most} series of one name"
        if status == 200 and most >= self.params.series:
            return Witness(state="present", detail=detail)
        return Witness(
            state="absent" if status == 200 and most < self.params.series / 10 else "cannot_tell", detail=detail
        )
