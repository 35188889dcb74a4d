"""Reads `/metrics` as a scraper does, and the base of faults of the service's page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from tocsin.harness.core.http import call
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import Addresses, LiveStack
from tocsin.harness.faults.bases.hook import HookFault

PATH = "/metrics"
METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,99}$"
"""The pattern of a metric's name."""
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
        return scrape(live, self.role(live.stack))


def scrape(live: Addresses, role: str) -> tuple[int, str]:
    """Return status and text of a role's metrics, read over a new connection; OSError when nobody answers."""
    return call("GET", live.address(role), PATH)


def samples(page: str) -> Iterator[tuple[str, float]]:
    """Yield name and value of every sample on a page of Prometheus's text format."""
    for sample in _SAMPLE.finditer(page):
        yield sample[1], float(sample[2])


def values(page: str, metric: str) -> list[float]:
    """Return the values of a metric, whatever their labels."""
    return [value for name, value in samples(page) if name == metric]


def total(page: str, metric: str) -> float | None:
    """Return the sum over all series of a metric, None when there is none."""
    series = values(page, metric)
    return sum(series) if series else None


def labelled_samples(page: str, metric: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
    """Return (labels, value) of the samples that carry these labels; none of a text that is no page of metrics."""
    try:
        families = list(text_string_to_metric_families(page))
    except ValueError:
        return []
    series = (sample for family in families for sample in family.samples if sample.name == metric)
    return [(sample.labels, float(sample.value)) for sample in series if labels.items() <= sample.labels.items()]
