"""Makes `/metrics` answer 500, while requests are served; the witness scrapes."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import PATH, PageFault


class MetricsError(PageFault):
    """The page of metrics answers 500."""

    def witness(self, live: LiveStack) -> Witness:
        """A status of 500 or more: present. 200: absent."""
        status, _ = self.scrape(live)
        return witness_of(f"{PATH} answers {status}", shown=status >= 500, well=status == 200)
