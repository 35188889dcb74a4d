"""What faults of a `/metrics` page share: it is asked for as a scraper does, on a connection of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.hook import HookFault

PATH = "/metrics"
METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,99}$"
"""What the name of a metric looks like."""
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})? (\S+)(?: \d+)?$", re.MULTILINE)


class PageFault(HookFault):
    """A fault of the service's page of metrics. While nothing true comes over it, drift is not seen.

    A scrape that fails is seen, as `up` = 0: it blinds no metrics.
    """

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return drift, which is read from that page."""
        return (("drift", self.role(stack)),)

    def scrape(self, live: LiveStack) -> tuple[int, str]:
        """Return status and page; OSError when nobody answers."""
        return call("GET", live.address(self.role(live.stack)), PATH)


def samples(page: str) -> Iterator[tuple[str, float]]:
    """Yield name and value of every sample on a page of Prometheus's text format."""
    for found in _SAMPLE.finditer(page):
        yield found[1], float(found[2])


def total(page: str, metric: str) -> float | None:
    """Return the sum over all series of a metric, None when there is none."""
    values = [value for name, value in samples(page) if name == metric]
    return sum(values) if values else None
