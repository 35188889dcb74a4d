"""Changes: the first sample of what an expression reads that tells of a fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from tocsin.harness.evidence.metrics import Metrics, Series
from tocsin.harness.monitoring.promql.expression import parse_or_none, selectors

EARLIEST = "at the earliest: every series it reads was moving before"
_QUIET_SAMPLES = 4
"""A series whose last so many samples are equal stands still."""
_OPS: Mapping[str, Callable[[str, str], bool]] = {
    "Equal": lambda has, wanted: has == wanted,
    "NotEqual": lambda has, wanted: has != wanted,
    "Re": lambda has, wanted: re.fullmatch(wanted, has) is not None,
    "NotRe": lambda has, wanted: re.fullmatch(wanted, has) is None,
}


def first_change(
    metrics: Metrics, expr: str, labels: Mapping[str, str], since: float | None, until: float | None
) -> tuple[float | None, str]:
    """Return the first sample after `since` that shows a change, epoch seconds, and a note on what that rests on.

    A series that stood still before `since` and has another value then. Where none stood still, or none changed until
    `until`: the first scrape after `since`, which is the earliest it can have been. None where there is no sample.
    """
    if since is None:
        return None, ""
    bound = until or math.inf
    changes, scrapes = [], []
    for series in read_by(metrics, expr, labels):
        place = int(np.searchsorted(series.t, since, side="right"))
        scrapes += series.t[place : place + 1].tolist()
        before = series.v[max(place - _QUIET_SAMPLES, 0) : place]
        if len(before) and (before == before[-1]).all():
            changes += series.t[place:][series.v[place:] != before[-1]][:1].tolist()
    for times, note in ((changes, ""), (scrapes, EARLIEST)):
        first = min(times, default=math.inf)
        if first <= bound and times:
            return first, note
    return None, ""


def read_by(metrics: Metrics, expr: str, labels: Mapping[str, str]) -> Iterator[Series]:
    """Yield the series that an expression reads and that do not contradict an alert's labels; none of no PromQL."""
    node = parse_or_none(expr)
    if node is None:
        return
    for selector in selectors(node):
        for series in metrics.select(selector.name):
            has = series.labels
            same = all(has.get(label, value) == value for label, value in labels.items())
            if same and all(_fits(series, *matcher) for matcher in selector.matchers):
                yield series


def _fits(series: Series, operator: str, label: str, value: str) -> bool:
    test = _OPS.get(operator)
    return test is None or label == "__name__" or test(series.labels.get(label, ""), value)
