"""Lowers a counter on every other page, so that rates over it are far too high; the witness reads a few pages."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, cannot_tell, present_if
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.metrics_page import METRIC, PageFault, total

_SCRAPES = 6


class CounterBackwardsParams(Params):
    """`metric` that shows a value lower by `share` on every other page."""

    metric: str = Field(pattern=METRIC)
    share: float = Field(default=0.5, gt=0, le=1)
    example = {"metric": "ml_predictions_total"}


class CounterBackwards(PageFault):
    """A counter falls although nothing restarted."""

    params: CounterBackwardsParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: the page is read, and one counter on it is wrong."""
        return ()

    def witness(self, live: LiveStack) -> Witness:
        """A fall between two of six pages: present. None: absent."""
        totals = [total(self.scrape(live)[1], self.params.metric) for _ in range(_SCRAPES)]
        known = [value for value in totals if value is not None]
        readings = ", ".join(f"{value:g}" for value in known) or "nothing"
        detail = f"{self.params.metric} reads {readings}"
        if len(known) < _SCRAPES or not any(known):
            return cannot_tell(detail)
        return present_if(any(later < sooner for sooner, later in pairwise(known)), detail)
