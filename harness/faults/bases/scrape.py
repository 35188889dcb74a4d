"""What an exporter tells a scraper: its `/metrics`, asked on a connection of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.calls import call

Labelled = tuple[Mapping[str, str], float]
"""The labels of a sample and its value."""


def page(live: LiveStack, role: str) -> tuple[int, str]:
    """Return status and text of a role's metrics; OSError when nobody answers."""
    return call("GET", live.address(role), "/metrics")


def samples(text: str, metric: str, **labels: str) -> list[Labelled]:
    """Return the samples of a metric that carry these labels; none of a text that is no metrics page."""
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError:
        return []
    found = (sample for family in families for sample in family.samples if sample.name == metric)
    return [(one.labels, float(one.value)) for one in found if labels.items() <= one.labels.items()]
