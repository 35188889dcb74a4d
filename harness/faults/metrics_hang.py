"""`/metrics` is accepted and never answered, while requests are served."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.edge import ask
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.metrics_page import PATH, PageFault
from tocsin.harness.faults.bases.role import health

_PATIENCE_S = 0.6


class MetricsHang(PageFault):
    """Holds the page back through the service's hook; the witness waits for it as a scraper does."""

    kind: ClassVar[str] = "metrics_hang"
    summary: ClassVar[str] = "The page of metrics is never answered."
    Params: ClassVar[type[Params]] = NoParams

    def witness(self, live: LiveStack) -> Witness:
        """Nothing comes of the page for 0.6 s while health is answered: present. An answer: absent."""
        role = self.role(live.stack)
        page, well = ask(live.address(role), PATH, _PATIENCE_S), health(live, role)
        detail = f"{PATH}: {page}; {well.detail}"
        if page.how == "answered":
            return Witness(state="absent", detail=detail)
        shown = page.how == "silent" and well.state == "absent"
        return Witness(state="present" if shown else "cannot_tell", detail=detail)
