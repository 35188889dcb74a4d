"""Changes: the first sample of what an expression reads that tells of a fault."""

from __future__ import annotations

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
    node = parse_or_none(expr)
    for selector in selectors(node) if node is not None else ():
        for one in metrics.select(selector.name):
            same = all(one.labels[key] == value for key, value in labels.items() if key in one.labels)
            if same and all(_fits(one, *matcher) for matcher in selector.matchers):
                yield one


def _fits(series: Series, operator: str, label: str, value: str) -> bool:
    test = _OPS.get(operator)
    return test is None or label == "__name__" or test(series.labels.get(label, ""), value)
