"""Accepts scrapes of `/metrics` and never answers, while requests are served; the witness waits as a scraper does."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent, present_if
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import PATH, PageFault
from tocsin.harness.faults.bases.role import health
from tocsin.harness.sidecars.proxy.probe import ask_once

_PATIENCE_S = 0.6


class MetricsHang(PageFault):
    """The page of metrics is never answered."""

    def witness(self, live: LiveStack) -> Witness:
        """Nothing comes of the page for 0.6 s while health is answered: present. An answer: absent."""
        role = self.role(live.stack)
        page, well = ask_once(live.address(role), PATH, _PATIENCE_S), health(live, role)
        detail = f"{PATH}: {page}; {well.detail}"
        if page.how == "answered":
            return absent(detail)
        return present_if(page.how == "silent" and well.state == "absent", detail, otherwise="cannot_tell")
