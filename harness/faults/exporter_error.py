"""Makes an exporter answer scrapes with an error: it runs, and tells nothing."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Witness, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import ExporterFault, ExporterParams
from tocsin.harness.faults.bases.metrics_page import scrape


class ExporterErrorParams(ExporterParams):
    """`role` whose scrapes are answered `status`, 500 to 599."""

    status: int = Field(default=500, ge=500, le=599)


class ExporterError(ExporterFault):
    """An exporter answers scrapes with an error."""

    params: ExporterErrorParams

    def witness(self, live: LiveStack) -> Witness:
        """Scrape once: the status asked for is present, 200 absent, another one cannot tell."""
        status, _ = scrape(live, self.params.role)
        detail = f"{self.params.role} answers a scrape with {status}"
        return witness_of(detail, shown=status == self.params.status, well=status == 200)
