"""Heartbeats: of each stream the sign of life that must come again and again, and where it stayed away too long.

Scrapes, the Watchdog's evaluations, the Watchdog's notifications, canaries whose log lines come out, drift checks. How
often a beat is due is the job's and the rule group's own interval, as the servers were told it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.requests import KINDS, OUTCOMES

Blind = tuple[Interval, str]
"""A stretch in which a stream was blind, and a sentence."""


@dataclass(frozen=True, kw_only=True)
class SearchRange:
    """Around a window: the end of the planned hole before it, the start of the one after, the end of the record."""

    since: float
    until: float
    recorded: float


_MISSED = 3
"""This many intervals without a beat are a gap: a single late scrape or lost line is not blindness."""
_SHARE = 0.9
"""Fewer than this share of the due beats is blindness even without a gap."""
_BEAT_SLACK_S = 2.0
"""Wall seconds that no speed divides: a notification's way through a busy machine."""


def _beats(
    times: np.ndarray, window: Interval, reach: SearchRange, *, every_s: float, allowed_s: float, what: str
) -> list[Blind]:
    """Return the gaps of a heartbeat that touch a window, or all of it when too few of the due beats came.

    `every_s` is the longest healthy step between two beats, `allowed_s` the longest that is borne. Beats are
    looked for around the window too, as far as `reach`.
    """
    inside = times[(times >= window.start) & (times <= window.end)]
    before = times[(times < window.start) & (times >= reach.since)]
    after = times[(times > window.end) & (times <= reach.until)]
    if not len(before) + len(inside) + len(after):
        return [(window, f"{what} in {window.seconds:.1f} s: 0 seen, {_due(window, every_s)} due.")]
    first = float(before[-1]) if len(before) else (window.start if reach.since == -inf else reach.since)
    last = float(after[0]) if len(after) else min(reach.until, max(reach.recorded, window.end))
    edges = np.concatenate([[first], inside, [last]])
    gaps = [Interval(start=float(a), end=float(b)) for a, b in zip(edges, edges[1:], strict=False)]
    wide = [gap for gap in gaps if gap.seconds > allowed_s and gap.overlaps(window)]
    seen, due = len(inside), _due(window, every_s)
    text = f"{what} in {window.seconds:.1f} s: {seen} seen, {due} due"
    if wide:
        told = [(gap, f"{text}; none for {gap.seconds:.1f} s, {allowed_s:.1f} s allowed.") for gap in wide]
        return [(Interval(start=max(gap.start, window.start), end=min(gap.end, window.end)), why) for gap, why in told]
    if seen < _SHARE * due - 1:  # one may fall outside by the phase of the beat alone
        return [(window, f"{text}; at least {_SHARE:.0%} expected.")]
    return []


def _due(window: Interval, every_s: float) -> int:
    return max(int(window.seconds / every_s), 1)


def _metrics(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    jobs = evidence.run["jobs"]
    if not jobs:
        return [(window, "No scrape job is declared in signals.jobs.")]
    found: list[Blind] = []
    for job in jobs:
        every = evidence.scrape_s(job)
        targets = evidence.metrics.select("up", job=job)
        for times in [one.t for one in targets] or [np.empty(0)]:
            found += _beats(
                times, window, reach, every_s=every, allowed_s=_MISSED * every, what=f"Scrapes of job {job}"
            )
    return found


def _alerts(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return [(window, "No Watchdog is declared in signals.watchdog.")]
    every = evidence.evaluation_s(watchdog.alert)
    series = evidence.metrics.select("ALERTS", alertname=watchdog.alert, alertstate="firing")
    what = f"Evaluations of {watchdog.alert}"
    return _beats(_all_times(series), window, reach, every_s=every, allowed_s=_MISSED * every, what=what)


def _notifications(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return [(window, "No Watchdog is declared in signals.watchdog.")]
    every = watchdog.every / evidence.speed
    beats = [
        one.at
        for one in evidence.notifications
        if one.delivered and one.receiver == watchdog.receiver and one.names(watchdog.alert, status="firing")
    ]
    # A repeat goes out on a group_interval tick, so healthy beats are one or two intervals apart.
    allowed, what = 2.5 * every + _BEAT_SLACK_S, f"Notices of {watchdog.alert} answered 2xx at {watchdog.receiver}"
    return _beats(np.array(beats), window, reach, every_s=2 * every, allowed_s=allowed, what=what)


def _logs(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    """Look for canaries without a document: up to two in a row are a loss, for the ledger; three are blindness."""
    rows = evidence.requests
    canary = (rows["kind"] == KINDS.index("canary")) & (rows["outcome"] == OUTCOMES.index("answered"))
    sent = rows[canary]
    inside = sent[(sent["sent"] >= window.start) & (sent["sent"] <= window.end)]
    if not evidence.logs.complete:
        return [(window, f"The log pipeline was not read in full: {evidence.logs.detail or 'no reason noted'}.")]
    if not len(inside):
        text = f"No answered canary in {window.seconds:.1f} s, so no line that had to come out."
        return [] if window.seconds < _usual_step(sent["sent"]) else [(window, text)]
    came = np.isin(inside["id"], evidence.logs.documents["id"])
    if not came.any():
        return [(window, f"None of {len(inside)} canaries came out as a document.")]
    return [
        (
            Interval(start=float(inside["sent"][first]), end=float(inside["done"][last])),
            f"{last - first + 1} canaries in a row did not come out as documents.",
        )
        for first, last in _stretches(~came)
        if last - first + 1 >= _MISSED
    ]


def _drift(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    drift = evidence.signals.drift
    if drift is None:
        return [(window, "No drift check is declared in signals.drift.")]
    every = drift.checked.every / evidence.speed
    found: list[Blind] = []
    stamps = [
        (one.t[(np.diff(one.v, prepend=0.0) != 0) & (one.v > 0)], evidence.scrape_s(one.labels.get("job", "")))
        for one in evidence.metrics.select(drift.checked.metric)
    ]
    for times, scrape in stamps or [(np.empty(0), evidence.scrape_s(""))]:
        step, allowed = max(every, scrape), 2 * every + 2 * scrape
        found += _beats(times, window, reach, every_s=step, allowed_s=allowed, what="Drift checks")
    return found


def _requests(evidence: Evidence, window: Interval, reach: SearchRange) -> list[Blind]:
    times = evidence.requests["intended"]
    if not evidence.facts("traffic_started"):
        return [(window, "The journal holds no traffic_started.")]
    usual = _usual_step(times)
    if not ((times >= window.start - usual) & (times <= window.end + usual)).any():
        return [(window, f"No request is recorded in {window.seconds:.1f} s.")]
    if not evidence.facts("play_ended") and times[-1] < window.end:
        return [(Interval(start=float(times[-1]), end=window.end), "The run was cut off after the last request.")]
    return []


def _usual_step(times: np.ndarray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _all_times(series: list[Series]) -> np.ndarray:
    return np.unique(np.concatenate([one.t for one in series])) if series else np.empty(0)


def _stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return (first, last) of each run of true values."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return [(int(a), int(b) - 1) for a, b in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)]


STREAMS: Mapping[str, Callable[[Evidence, Interval, SearchRange], list[Blind]]] = {
    "metrics": _metrics,
    "alerts": _alerts,
    "notifications": _notifications,
    "logs": _logs,
    "drift": _drift,
    "requests": _requests,
}
"""Stream -> the function that returns where it was blind in a window."""
