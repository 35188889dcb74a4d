"""Changes: the first sample of what an expression reads that tells of a fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tocsin.harness.evidence.metrics import Metrics, Series
from tocsin.harness.monitoring.promql.metric_names import selectors, tree

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
    if since is None or not expr:
        return None, ""
    bound = np.inf if until is None else until
    changes, firsts = [], []
    for one in read_by(metrics, expr, labels):
        place = int(np.searchsorted(one.t, since, side="right"))
        if place == len(one.t) or one.t[place] > bound:
            continue
        firsts.append(float(one.t[place]))
        before = one.v[max(place - _QUIET_SAMPLES, 0) : place]
        if len(before) and (before == before[-1]).all():
            moved = np.flatnonzero(one.v[place:] != before[-1])
            changes += [float(one.t[place + moved[0]])] if len(moved) else []
    changes = [at for at in changes if at <= bound]
    if changes:
        return min(changes), ""
    return (min(firsts), EARLIEST) if firsts else (None, "")


def read_by(metrics: Metrics, expr: str, labels: Mapping[str, str]) -> Iterator[Series]:
    """Yield the series that an expression reads and that do not contradict an alert's labels."""
    for selector in selectors(tree(expr)):
        for one in metrics.select(selector.name or ""):
            same = all(one.labels[key] == value for key, value in labels.items() if key in one.labels)
            if same and all(_fits(one, matcher) for matcher in selector.matchers.matchers):
                yield one


def _fits(series: Series, matcher: Any) -> bool:
    test = _OPS.get(str(matcher.op).rpartition(".")[2])
    return test is None or test(series.labels.get(matcher.name, ""), matcher.value)
