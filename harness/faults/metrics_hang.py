"""`/metrics` is accepted and never answered, while requests are served."""

from __future__ import annotations

from typing import ClassVar

from harness.faults.base import Params, Witness
from harness.faults.edges import ask
from harness.faults.exposition import PATH, PageFault
from harness.faults.hooks import NoParams
from harness.faults.roles import health
from harness.stack import LiveStack

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
