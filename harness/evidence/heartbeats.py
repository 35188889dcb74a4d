"""Heartbeats: the sign of life that each stream must show again and again, and where it stayed away too long.

Scrapes, the Watchdog's evaluations, the Watchdog's notifications, canaries whose log lines come out, drift checks. How
often a beat is due is the job's and the rule group's own interval, as the servers were given it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import sample_times
from tocsin.harness.evidence.requests import ANSWERED, KINDS

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


def _gaps(
    times: np.ndarray, window: Interval, search: SearchRange, *, every_s: float, allowed_s: float, beats: str
) -> list[Blind]:
    """Return the gaps of a heartbeat that touch a window, or all of it when too few of the due beats came.

    `every_s` is the longest healthy step between two beats, `allowed_s` the longest that is tolerated. Beats are
    looked for around the window too, as far as `search` reaches.
    """
    inside = times[window.holds(times)]
    before = times[(times < window.start) & (times >= search.since)]
    after = times[(times > window.end) & (times <= search.until)]
    due = max(int(window.seconds / every_s), 1)
    text = f"{beats} in {window.seconds:.1f} s: {len(inside)} seen, {due} due"
    if not len(before) + len(inside) + len(after):
        return [(window, f"{text}.")]
    first = window.start if search.since == -inf else search.since
    last = min(search.until, max(search.recorded, window.end))
    edges = np.concatenate([before[-1:], inside, after[:1]]).tolist()
    if not len(before):
        edges = [first, *edges]
    if not len(after):
        edges = [*edges, last]
    gaps = [Interval(start=start, end=end) for start, end in pairwise(edges)]
    wide = [gap for gap in gaps if gap.seconds > allowed_s and gap.overlaps(window)]
    if wide:
        why = f"{text}; none for {{:.1f}} s, {allowed_s:.1f} s allowed."
        return [(gap.clipped(window), why.format(gap.seconds)) for gap in wide]
    if len(inside) < _SHARE * due - 1:  # one may fall outside by the phase of the beat alone
        return [(window, f"{text}; at least {_SHARE:.0%} expected.")]
    return []


def _metrics(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    jobs = evidence.run["jobs"]
    if not jobs:
        return [(window, "No scrape job is declared in signals.jobs.")]
    gaps: list[Blind] = []
    for job in jobs:
        every_s, beats = evidence.scrape_s(job), f"Scrapes of job {job}"
        targets = [series.t for series in evidence.metrics.select("up", job=job)]
        for times in targets or [np.empty(0)]:
            gaps += _gaps(times, window, search, every_s=every_s, allowed_s=_MISSED * every_s, beats=beats)
    return gaps


def _alerts(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return [(window, "No Watchdog is declared in signals.watchdog.")]
    every_s = evidence.evaluation_s(watchdog.alert)
    times = sample_times(evidence.metrics.select("ALERTS", alertname=watchdog.alert, alertstate="firing"))
    beats = f"Evaluations of {watchdog.alert}"
    return _gaps(times, window, search, every_s=every_s, allowed_s=_MISSED * every_s, beats=beats)


def _notifications(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return [(window, "No Watchdog is declared in signals.watchdog.")]
    every_s = watchdog.every / evidence.speed
    delivered = [one for one in evidence.notifications if one.delivered and one.receiver == watchdog.receiver]
    times = np.array([one.at for one in delivered if one.names(watchdog.alert, status="firing")])
    beats = f"Notices of {watchdog.alert} answered 2xx at {watchdog.receiver}"
    # A repeat goes out on a group_interval tick, so healthy beats are one or two intervals apart.
    allowed_s = 2.5 * every_s + _BEAT_SLACK_S
    return _gaps(times, window, search, every_s=2 * every_s, allowed_s=allowed_s, beats=beats)


def _logs(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    """Look for canaries without a document: up to two in a row are a loss, for the ledger; three are blindness."""
    rows = evidence.requests
    sent = rows[(rows["kind"] == KINDS.index("canary")) & (rows["outcome"] == ANSWERED)]
    inside = sent[window.holds(sent["sent"])]
    if not evidence.logs.complete:
        return [(window, f"The log pipeline was not read in full: {evidence.logs.detail or 'no reason noted'}.")]
    if not len(inside):
        if window.seconds < _usual_step(sent["sent"]):
            return []
        return [(window, f"No answered canary in {window.seconds:.1f} s, so no line that had to come out.")]
    lost = ~np.isin(inside["id"], evidence.logs.documents["id"])
    if lost.all():
        return [(window, f"None of {len(inside)} canaries came out as a document.")]
    blind = []
    for run in np.split(np.arange(len(lost)), np.flatnonzero(np.diff(lost)) + 1):
        if lost[run[0]] and len(run) >= _MISSED:
            stretch = Interval(start=float(inside["sent"][run[0]]), end=float(inside["done"][run[-1]]))
            blind.append((stretch, f"{len(run)} canaries in a row did not come out as documents."))
    return blind


def _drift(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    drift = evidence.signals.drift
    if drift is None:
        return [(window, "No drift check is declared in signals.drift.")]
    every_s = drift.checked.every / evidence.speed
    stamps = [
        (series.t[(np.diff(series.v, prepend=0.0) != 0) & (series.v > 0)], series.labels.get("job", ""))
        for series in evidence.metrics.select(drift.checked.metric)
    ]
    gaps: list[Blind] = []
    for times, job in stamps or [(np.empty(0), "")]:
        scrape_s = evidence.scrape_s(job)
        step_s, allowed_s = max(every_s, scrape_s), 2 * every_s + 2 * scrape_s
        gaps += _gaps(times, window, search, every_s=step_s, allowed_s=allowed_s, beats="Drift checks")
    return gaps


def _requests(evidence: Evidence, window: Interval, search: SearchRange) -> list[Blind]:
    times = evidence.requests["intended"]
    if not evidence.facts("traffic_started"):
        return [(window, "The journal holds no traffic_started.")]
    usual_s = _usual_step(times)
    if not Interval(start=window.start - usual_s, end=window.end + usual_s).holds(times).any():
        return [(window, f"No request is recorded in {window.seconds:.1f} s.")]
    if not evidence.facts("play_ended") and times[-1] < window.end:
        return [(Interval(start=float(times[-1]), end=window.end), "The run was cut off after the last request.")]
    return []


def _usual_step(times: np.ndarray) -> float:
    """Return the median step between two times; 0 for fewer than two."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


STREAMS: Mapping[str, Callable[[Evidence, Interval, SearchRange], list[Blind]]] = {
    "metrics": _metrics,
    "alerts": _alerts,
    "notifications": _notifications,
    "logs": _logs,
    "drift": _drift,
    "requests": _requests,
}
"""Stream -> the function that returns where it was blind in a window."""
