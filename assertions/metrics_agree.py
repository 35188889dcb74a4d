"""metrics/agree: do the service's counters say what its clients saw?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tocsin.harness.declarations.check_arguments import Args
from tocsin.harness.evidence.counter_growth import last_exit, measure_growth, restart_intervals, restarting_faults
from tocsin.harness.evidence.evidence import Evidence, PlayedFault
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, UNKNOWN
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown
from tocsin.harness.judging.client_comparison import RACE_S, declared, ended, last_scrape, scrape_times
from tocsin.harness.judging.wording import between

_HUNDREDS = {"answered": 2, "failed": 5, "refused": 4}
"""What is counted -> the first digit of the statuses that it has."""


class Agree(Args):
    """No arguments: all requests of the run are compared with all of the counter's growth."""


@dataclass(frozen=True, kw_only=True)
class _Range:
    """How often a label value must have been counted: at least, at most."""

    low: int
    high: int


def judge(evidence: Evidence, args: Agree) -> Finding:
    """Compare, per label value, the counter's growth with the answers in the request records."""
    signal, rows = evidence.signals.requests, evidence.requests
    rows = rows[rows["outcome"] != DROPPED]
    if signal is None:
        return unknown("The stack declares no request counter.")
    if not len(rows):
        return unknown("No request is recorded, so there is nothing to count.")
    values = {"answered": signal.answered, "failed": signal.failed, "refused": signal.refused}
    series = {name: evidence.metrics.select(signal.metric, **{signal.label: value}) for name, value in values.items()}
    absent = [f'{signal.metric}{{{signal.label}="{values[name]}"}}' for name in values if not series[name]]
    if absent:
        return unknown(f"No series {', '.join(absent)}.")
    last = min(max(float(one.t[-1]) for one in some) for some in series.values())
    if last < np.nanmax(ended(rows, rows["sent"])):
        return unknown("The counters were not scraped after the last request.")
    start = float(np.nanmin(rows["sent"]))
    restarts = restart_intervals(evidence, series["answered"])
    fell, counted = 0, {}
    for name, some in series.items():
        growths = [measure_growth(one, start, float(one.t[-1]), restarts) for one in some]
        fell += sum(growth.falls for growth in growths)
        counted[name] = round(sum(growth.amount for growth in growths), 6)
    kills = restarting_faults(evidence, series["answered"])
    gap = _unscraped(rows, series["answered"], kills)
    return _compare(values, counted, _ranges(evidence, rows, gap), fell, _why(rows, gap, kills))


def _compare(
    values: Mapping[str, str], counted: Mapping[str, float], ranges: Mapping[str, _Range], fell: int, why: str
) -> Finding:
    figures = {values[name]: {"counted": counted[name], **asdict(ranges[name])} for name in values}
    off = [name for name in values if not ranges[name].low <= counted[name] <= ranges[name].high]
    clients = {name: between(ranges[name].low, ranges[name].high) for name in values}
    counts = [f"{values[name]}: counted {counted[name]:g}, clients {clients[name]}" for name in off or values]
    story = ", ".join(counts) + why
    if fell:
        return failed(f"A counter fell {fell} times without a planned restart; {story}.", **figures)
    if off:
        return failed(f"Counters and clients disagree: {story}.", **figures)
    return passed(f"Counters and clients agree: {story}.", **figures)


def _ranges(evidence: Evidence, rows: np.ndarray, gap: np.ndarray) -> dict[str, _Range]:
    """Return what must have been counted. `gap` marks answers that a killed process may have taken with it.

    A request without a known outcome may have been served, or have failed, or never have arrived. A kind that is
    counted `by_status` is counted once, as its answer says; `maybe`: as its answer says, or not at all.
    """
    counted = declared(evidence, rows, "counted")
    answered = (rows["outcome"] == ANSWERED) & (counted != "no")
    unknowns = (rows["outcome"] == UNKNOWN) & (counted != "no")
    ranges = {}
    for name, hundreds in _HUNDREDS.items():
        mine = answered & (rows["status"] // 100 == hundreds)
        possible = unknowns & np.isin(counted, [name, "by_status", "maybe"])
        if name == "failed":
            possible = unknowns
        low = int(np.count_nonzero(mine & (counted != "maybe") & ~gap))
        ranges[name] = _Range(low=low, high=int(np.count_nonzero(mine) + np.count_nonzero(possible)))
    return ranges


def _unscraped(rows: np.ndarray, series: Sequence[Series], kills: Sequence[PlayedFault]) -> np.ndarray:
    """Mark the answers between the last scrape before a kill and the kill: the process may have died uncounted."""
    gap = np.zeros(len(rows), dtype=bool)
    times = scrape_times(series)
    for kill in kills:
        since = last_scrape(times, kill.injected_at or 0.0)
        gap |= (rows["done"] >= since - RACE_S) & (rows["sent"] <= last_exit(kill) + RACE_S)
    gap &= rows["outcome"] == ANSWERED
    return gap


def _why(rows: np.ndarray, gap: np.ndarray, kills: Sequence[PlayedFault]) -> str:
    """Say what widens the ranges."""
    reasons = []
    unknowns = np.count_nonzero(rows["outcome"] == UNKNOWN)
    if unknowns:
        reasons.append(f"{unknowns} requests have an unknown outcome")
    if kills:
        names = ", ".join(kill.name for kill in kills)
        reasons.append(f"{np.count_nonzero(gap)} answers came between the last scrape and {names}")
    return "" if not reasons else f" ({'; '.join(reasons)})"


CHECK = Check(
    summary="The request counter grew, per label value, by what the clients were answered.",
    args=Agree,
    judge=judge,
    streams=("metrics", "requests"),
    needs_load=False,
    files=("metrics/", "requests/"),
)
