"""A counter falls now and then although nothing restarted: rates over it are far too high."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.metrics_page import METRIC, PageFault, total

_SCRAPES = 6


class CounterBackwardsParams(Params):
    """`metric` that shows a value lower by `share` on every other page."""

    metric: str = Field(pattern=METRIC)
    share: float = Field(default=0.5, gt=0, le=1)


class CounterBackwards(PageFault):
    """Lowers the counter through the service's hook; the witness reads it a few times in a row, as a scraper does."""

    kind: ClassVar[str] = "counter_backwards"
    summary: ClassVar[str] = "A counter falls although nothing restarted."
    Params: ClassVar[type[Params]] = CounterBackwardsParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: the page is read, and one counter on it is wrong."""
        return ()

    def witness(self, live: LiveStack) -> Witness:
        """A fall between two of six pages: present. None: absent."""
        values = [total(self.scrape(live)[1], self.params.metric) for _ in range(_SCRAPES)]
        known = [value for value in values if value is not None]
        told = ", ".join(f"{value:g}" for value in known) or "nothing"
        detail = f"{self.params.metric} reads {told}"
        if len(known) < _SCRAPES or not any(known):
            return Witness(state="cannot_tell", detail=detail)
        fell = any(later < sooner for sooner, later in pairwise(known))
        return Witness(state="present" if fell else "absent", detail=detail)
