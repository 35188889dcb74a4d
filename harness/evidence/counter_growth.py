"""How much counters grew between two scrapes, restarts of what counts included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.harness.declarations.restarting_faults import LOOPING
from tocsin.harness.evidence.evidence import Evidence, FaultRecord
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.role_restarts import restarted_role


@dataclass(frozen=True, kw_only=True)
class Growth:
    """`amount` grown; `falls`: how often the value fell without a planned restart."""

    amount: float
    falls: int


def measure_growth(series: Series, start: float, end: float, restarts: Sequence[Interval] = ()) -> Growth:
    """Return a counter's growth from its last sample at or before `start` to its first at or after `end`.

    Times are epoch seconds. Without a sample at or before `start` the counter was born later, at 0. A fall between the
    samples around one of `restarts` is planned: the value began again at 0, also where it has overtaken the old one.
    """
    first = max(int(np.searchsorted(series.t, start, side="right")) - 1, 0)
    last = min(int(np.searchsorted(series.t, end, side="left")), len(series.t) - 1)
    t, v = series.t[first : last + 1], series.v[first : last + 1]
    if not len(t):
        return Growth(amount=0.0, falls=0)
    born = float(v[0]) if t[0] > start else 0.0
    steps = np.diff(v)
    fell, planned = steps < 0, np.zeros(len(steps), dtype=bool)
    for restart in restarts:
        low = max(int(np.searchsorted(t, restart.start, side="right")) - 1, 0)
        high = int(np.searchsorted(t, restart.end, side="left"))
        if high >= len(t) or high <= low:
            continue
        if not fell[low:high].any():
            fell[high - 1] = True
        planned[low:high] = True
    amount = born + float(np.where(fell, v[1:], steps).sum())
    return Growth(amount=round(amount, 6), falls=int(np.count_nonzero(fell & ~planned)))


def restarting_faults(evidence: Evidence, series: Sequence[Series]) -> list[FaultRecord]:
    """Return the faults that killed or restarted what these series are scraped from, as injected."""
    roles = {evidence.run["jobs"].get(one.labels.get("job", "")) for one in series}
    return [
        one
        for one in evidence.faults.values()
        if restarted_role(evidence, one) in roles and one.injected_at is not None
    ]


def restart_intervals(evidence: Evidence, series: Sequence[Series]) -> list[Interval]:
    """Return when that was: injection to the last death."""
    return [
        Interval(start=one.injected_at, end=last_exit(one))
        for one in restarting_faults(evidence, series)
        if one.injected_at is not None
    ]


def last_exit(fault: FaultRecord) -> float:
    """Return until when a restarting fault ended its role (epoch seconds): its effect, and of a loop its end."""
    injected = fault.injected_at or 0.0
    ended = (fault.gone_at or fault.healed_at) if fault.kind in LOOPING else None
    return max(injected, ended or fault.effective_at or injected)
