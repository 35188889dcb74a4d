"""`/metrics` answers 500, while requests are served."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.metrics_page import PATH, PageFault


class MetricsError(PageFault):
    """Breaks the page through the service's hook; the witness asks for it as a scraper does."""

    kind: ClassVar[str] = "metrics_error"
    summary: ClassVar[str] = "The page of metrics answers 500."
    Params: ClassVar[type[Params]] = NoParams

    def witness(self, live: LiveStack) -> Witness:
        """A status of 500 or more: present. 200: absent."""
        status, _ = self.scrape(live)
        state = "present" if status >= 500 else "absent" if status == 200 else "cannot_tell"
        return Witness(state=state, detail=f"{PATH} answers {status}")  # type: ignore[arg-type]
