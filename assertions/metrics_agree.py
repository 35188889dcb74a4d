"""metrics/agree: do the service's counters say what its clients saw?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from tocsin.harness.declarations.references import Args
from tocsin.harness.evidence.counter_growth import last_exit, measure_growth, restart_intervals, restarting_faults
from tocsin.harness.evidence.evidence import Evidence, FaultRecord
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import KINDS, OUTCOMES
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

RACE_S = 0.1
"""Wall seconds that may lie between a client's answer and its count, in either order."""

_ANSWERED, _UNKNOWN, _DROPPED = (OUTCOMES.index(name) for name in ("answered", "unknown", "dropped"))


class Agree(Args):
    """No arguments: all requests of the run are compared with all of the counter's growth."""


@dataclass(frozen=True, kw_only=True)
class _Range:
    """How often a label value must have been counted: at least, at most."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


def judge(evidence: Evidence, args: Agree) -> Finding:
    """Compare, per label value, the counter's growth with the answers in the request records."""
    signal, rows = evidence.signals.requests, evidence.requests
    rows = rows[rows["outcome"] != _DROPPED]
    if signal is None:
        return unknown("The stack declares no request counter.")
    if not len(rows):
        return unknown("No request is recorded, so there is nothing to count.")
    names = {"answered": signal.answered, "failed": signal.failed, "refused": signal.refused}
    found = {what: evidence.metrics.select(signal.metric, **{signal.label: value}) for what, value in names.items()}
    absent = [f'{signal.metric}{{{signal.label}="{names[what]}"}}' for what, series in found.items() if not series]
    if absent:
        return unknown(f"No series {', '.join(absent)}.")
    kills = restarting_faults(evidence, found["answered"])
    gap = _unscraped(rows, found["answered"], kills)
    last = min(max(float(one.t[-1]) for one in series) for series in found.values())
    if last < np.nanmax(np.where(np.isnan(rows["done"]), rows["sent"], rows["done"])):
        return unknown("The counters were not scraped after the last request.")
    start = float(np.nanmin(rows["sent"]))
    restarts = restart_intervals(evidence, found["answered"])
    growths = {
        what: [measure_growth(one, start, float(one.t[-1]), restarts) for one in series]
        for what, series in found.items()
    }
    fell = sum(growth.falls for some in growths.values() for growth in some)
    counted = {what: round(sum(growth.amount for growth in some), 6) for what, some in growths.items()}
    return _compare(names, counted, _ranges(evidence, rows, gap), fell, _why(rows, gap, kills))


def _compare(
    names: Mapping[str, str], counted: Mapping[str, float], ranges: Mapping[str, _Range], fell: int, why: str
) -> Finding:
    figures = {names[what]: {"counted": counted[what], **asdict(ranges[what])} for what in names}
    off = [what for what in names if not ranges[what].low <= counted[what] <= ranges[what].high]
    told = ", ".join(f"{names[what]}: counted {counted[what]:g}, clients {ranges[what]}" for what in off or names)
    if fell:
        return failed(f"A counter fell {fell} times without a planned restart; {told}{why}.", **figures)
    if off:
        return failed(f"Counters and clients disagree: {told}{why}.", **figures)
    return passed(f"Counters and clients agree: {told}{why}.", **figures)


def _ranges(evidence: Evidence, rows: np.ndarray, gap: np.ndarray) -> dict[str, _Range]:
    """Return what must have been counted. `gap` marks answers that a killed process may have taken with it.

    A request without a known outcome may have been served, or have failed, or never have arrived. A kind that is
    counted `by_status` is counted once, as its answer says; `maybe`: as its answer says, or not at all.
    """
    declared = np.array([evidence.run["kinds"].get(kind, {}).get("counted", "maybe") for kind in KINDS])[rows["kind"]]
    counts, may = declared != "no", declared == "maybe"
    answered, lost = rows["outcome"] == _ANSWERED, rows["outcome"] == _UNKNOWN
    unknowns = lost & counts
    ranges = {}
    for what, hundreds in (("answered", 2), ("failed", 5), ("refused", 4)):
        mine = answered & counts & (rows["status"] // 100 == hundreds)
        open_to = (declared == what) | (declared == "by_status") | may
        possible = unknowns & open_to if what != "failed" else unknowns
        low, high = np.count_nonzero(mine & ~may & ~gap), np.count_nonzero(mine) + np.count_nonzero(possible)
        ranges[what] = _Range(low=int(low), high=int(high))
    return ranges


def _unscraped(rows: np.ndarray, series: list[Series], kills: list[FaultRecord]) -> np.ndarray:
    """Mark the answers between the last scrape before a kill and the kill: the process may have died uncounted."""
    gap = np.zeros(len(rows), dtype=bool)
    times = np.unique(np.concatenate([one.t for one in series]))
    for kill in kills:
        injected, dead = kill.injected_at or 0.0, last_exit(kill)
        before = times[times <= injected]
        since = float(before[-1]) if len(before) else -np.inf
        gap |= (rows["done"] >= since - RACE_S) & (rows["sent"] <= dead + RACE_S)
    gap &= rows["outcome"] == _ANSWERED
    return gap


def _why(rows: np.ndarray, gap: np.ndarray, kills: list[FaultRecord]) -> str:
    """Say what widens the ranges."""
    unknowns = int(np.count_nonzero(rows["outcome"] == _UNKNOWN))
    parts = [f"{unknowns} requests have an unknown outcome"] if unknowns else []
    if kills:
        names = ", ".join(one.name for one in kills)
        parts.append(f"{np.count_nonzero(gap)} answers came between the last scrape and {names}")
    return f" ({'; '.join(parts)})" if parts else ""


CHECK = Check(
    summary="The request counter grew, per label value, by what the clients were answered.",
    args=Agree,
    judge=judge,
    streams=("metrics", "requests"),
    needs_load=False,
    files=("metrics/", "requests/"),
)
