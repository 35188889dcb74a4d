"""An exporter answers scrapes with an error: it runs, and tells nothing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.exporter import ExporterFault
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleParams
from tocsin.harness.faults.bases.scrape import page


class ExporterErrorParams(RoleParams):
    """`role` whose scrapes are answered `status`, 500 to 599."""

    status: int = Field(default=500, ge=500, le=599)


class ExporterError(ExporterFault):
    """Turns the answers into errors; the witness scrapes."""

    kind: ClassVar[str] = "exporter_error"
    summary: ClassVar[str] = "An exporter answers scrapes with an error."
    Params: ClassVar[type[Params]] = ExporterErrorParams

    def witness(self, live: LiveStack) -> Witness:
        """Scrape once: the status asked for is present, 200 absent, another one cannot tell."""
        status, _ = page(live, self.params.role)
        states = {self.params.status: "present", 200: "absent"}
        detail = f"{self.params.role} answers a scrape with {status}"
        return Witness(state=states.get(status, "cannot_tell"), detail=detail)  # type: ignore[arg-type]
