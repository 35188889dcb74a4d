"""An exporter answers every scrape with the same old values: `up` stays 1, and nothing moves any more."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.exporter import ExporterFault
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import RoleParams
from tocsin.harness.faults.bases.scrape import page


class ExporterStale(ExporterFault):
    """Freezes the page; the witness scrapes it twice, and a page that lives has moved (its ages are microseconds)."""

    kind: ClassVar[str] = "exporter_stale"
    summary: ClassVar[str] = "An exporter answers scrapes with old values."
    Params: ClassVar[type[Params]] = RoleParams

    def witness(self, live: LiveStack) -> Witness:
        """Scrape twice: the same page is present, another one is absent. No good answer cannot tell."""
        role = self.params.role
        (first, old), (second, new) = page(live, role), page(live, role)
        if (first, second) != (200, 200):
            return Witness(state="cannot_tell", detail=f"{role} answers scrapes with {first} and {second}")
        if old == new:
            return Witness(state="present", detail=f"two scrapes of {role} are the same")
        return Witness(state="absent", detail=f"two scrapes of {role} differ")
