"""Makes `/metrics` answer 500, while requests are served; the witness scrapes."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent_if, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import PATH, PageFault


class MetricsError(PageFault):
    """The page of metrics answers 500."""

    def witness(self, live: LiveStack) -> Witness:
        """A status of 500 or more: present. 200: absent."""
        status, _ = self.scrape(live)
        detail = f"{PATH} answers {status}"
        return present(detail) if status >= 500 else absent_if(status == 200, detail)
