"""Freezes the page of an exporter: `up` stays 1, and nothing moves any more."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import ExporterFault
from tocsin.harness.faults.bases.metrics_page import scrape


class ExporterStale(ExporterFault):
    """An exporter answers scrapes with old values."""

    def witness(self, live: LiveStack) -> Witness:
        """Scrape twice: the same page is present, another one is absent: ages on a live page always move."""
        role = self.params.role
        (first, old), (second, new) = scrape(live, role), scrape(live, role)
        if (first, second) != (200, 200):
            return cannot_tell(f"{role} answers scrapes with {first} and {second}")
        if old == new:
            return present(f"two scrapes of {role} are the same")
        return absent(f"two scrapes of {role} differ")
