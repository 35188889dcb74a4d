"""How much counters grew between two scrapes, restarts of what counts included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.harness.declarations.restarting_faults import RESTARTS
from tocsin.harness.evidence.evidence import Evidence, PlayedFault
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series


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
    first, last = _around(series.t, start, end)
    t, v = series.t[first : last + 1], series.v[first : last + 1]
    if not len(t):
        return Growth(amount=0.0, falls=0)
    steps = np.diff(v)
    fell, planned = steps < 0, np.zeros(len(steps), dtype=bool)
    for restart in restarts:
        low, high = _around(t, restart.start, restart.end)
        if high >= len(t) or high <= low:
            continue
        if not fell[low:high].any():
            fell[high - 1] = True
        planned[low:high] = True
    amount = float(np.where(fell, v[1:], steps).sum())
    if t[0] > start:
        amount += float(v[0])
    return Growth(amount=round(amount, 6), falls=int(np.count_nonzero(fell & ~planned)))


def _around(times: np.ndarray, start: float, end: float) -> tuple[int, int]:
    """Return the places of the last time at or before `start` (0 if none) and of the first at or after `end`."""
    return max(int(np.searchsorted(times, start, side="right")) - 1, 0), int(np.searchsorted(times, end, side="left"))


def restarting_faults(evidence: Evidence, series: Sequence[Series]) -> list[PlayedFault]:
    """Return the faults that killed or restarted what these series are scraped from, as injected."""
    roles = {evidence.run["jobs"].get(one.labels.get("job", "")) for one in series}
    injected = [fault for fault in evidence.faults.values() if fault.injected_at is not None]
    return [fault for fault in injected if fault.restarted_role in roles]


def restart_intervals(evidence: Evidence, series: Sequence[Series]) -> list[Interval]:
    """Return when that was: injection to the last exit of the role."""
    faults = restarting_faults(evidence, series)
    return [Interval(start=fault.injected_at or 0.0, end=last_exit(fault)) for fault in faults]


def last_exit(fault: PlayedFault) -> float:
    """Return until when a restarting fault ended its role (epoch seconds): its effect, and of a loop its end."""
    injected = fault.injected_at or 0.0
    if RESTARTS.get(fault.kind) == "looping" and fault.over_at is not None:
        return max(injected, fault.over_at)
    return max(injected, fault.effective_at or injected)
