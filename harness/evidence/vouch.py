"""Vouch: in which intervals a stream was blind. Silence of a stream is never taken for a quiet system.

Every stream has a heartbeat of its own: scrapes, the Watchdog's evaluations, the Watchdog's notifications, canaries
whose log lines come out, drift checks. A heartbeat that stays away for too long is blindness from the last beat to the
next one, except where a fault of the drill blinds the stream on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

import numpy as np

from harness.evidence import Evidence, Interval
from harness.evidence.metrics import Series, increase
from harness.evidence.requests import KINDS, OUTCOMES
from harness.evidence.whole import missing

Blind = tuple[Interval, str]


@dataclass(frozen=True, kw_only=True)
class _Reach:
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


def blind(evidence: Evidence, stream: str, window: Interval) -> list[Blind]:
    """Return where in `window` the stream was blind, each with a sentence; planned blindness is cut out.

    Streams: metrics, alerts, notifications, logs, drift, requests. ValueError for another name. However short the
    window, a gap is measured from the last beat before it to the first one after it. A record that is not whole is
    blindness too.
    """
    if stream not in _STREAMS:
        raise ValueError(f"{stream!r} is not a stream; expected one of {', '.join(_STREAMS)}")
    holes, settled = planned(evidence, stream), evidence.facts("settled")
    recorded = settled[-1].at if settled else -inf
    found: list[Blind] = []
    for part in cut(window, holes):
        since = max((hole.end for hole in holes if hole.end <= part.start), default=-inf)
        until = min((hole.start for hole in holes if hole.start >= part.end), default=inf)
        found += _STREAMS[stream](evidence, part, _Reach(since=since, until=until, recorded=recorded))
        for lost, reason in missing(evidence, stream):
            if lost.overlaps(part):
                found.append((Interval(start=max(lost.start, part.start), end=min(lost.end, part.end)), reason))
    return sorted(set(found))


def rules_failed(evidence: Evidence, window: Interval) -> str:
    """Return that rules could not be evaluated in a window, without a full stop; empty if Prometheus counted none."""
    failures = {
        series.labels.get("rule_group", "").rpartition(";")[2] or "without a name": count
        for series in evidence.metrics.select("prometheus_rule_evaluation_failures_total")
        if (count := increase(series, window.start, window.end)) > 0
    }
    groups = ", ".join(f"{group} ({count:g} times)" for group, count in sorted(failures.items()))
    return f"Prometheus could not evaluate rules of the group {groups}" if failures else ""


def planned(evidence: Evidence, stream: str) -> list[Interval]:
    """Return when faults of the drill blinded the stream on purpose.

    From the injection until the effect was gone (or the heal was done, if nobody saw it go; or for ever, if it never
    was healed), plus the start time of the blinded role, which no speed divides.
    """
    found = []
    for fault in evidence.faults.values():
        for signal, role in fault.blinds:
            if signal != stream or fault.injected_at is None:
                continue
            over = fault.gone_at or fault.healed_at
            fixed = float(evidence.run["fixed_s"].get(role, 0.0))
            found.append(Interval(start=fault.injected_at, end=inf if over is None else over + fixed))
    return sorted(found)


def cut(window: Interval, holes: list[Interval]) -> list[Interval]:
    """Return what is left of a window after taking out the holes, by start."""
    left, start = [], window.start
    for hole in sorted(holes):
        if hole.start > start:
            left.append(Interval(start=start, end=min(hole.start, window.end)))
        start = max(start, hole.end)
        if start >= window.end:
            break
    if start < window.end:
        left.append(Interval(start=start, end=window.end))
    return [part for part in left if part.seconds > 0]


def _beats(
    times: np.ndarray, window: Interval, reach: _Reach, *, every_s: float, allowed_s: float, what: str
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


def _metrics(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
    every = float(evidence.run["scrape_interval_s"]) / evidence.speed
    jobs = evidence.run["jobs"]
    if not jobs:
        return [(window, "No scrape job is declared in signals.jobs.")]
    found: list[Blind] = []
    for job in jobs:
        targets = evidence.metrics.select("up", job=job)
        for times in [one.t for one in targets] or [np.empty(0)]:
            found += _beats(
                times, window, reach, every_s=every, allowed_s=_MISSED * every, what=f"Scrapes of job {job}"
            )
    return found


def _alerts(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
    watchdog = evidence.signals.watchdog
    if watchdog is None:
        return [(window, "No Watchdog is declared in signals.watchdog.")]
    every = float(evidence.run["evaluation_interval_s"]) / evidence.speed
    series = evidence.metrics.select("ALERTS", alertname=watchdog.alert, alertstate="firing")
    what = f"Evaluations of {watchdog.alert}"
    return _beats(_all_times(series), window, reach, every_s=every, allowed_s=_MISSED * every, what=what)


def _notifications(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
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


def _logs(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
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


def _drift(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
    drift = evidence.signals.drift
    if drift is None:
        return [(window, "No drift check is declared in signals.drift.")]
    every, scrape = drift.checked.every / evidence.speed, float(evidence.run["scrape_interval_s"]) / evidence.speed
    step, allowed = max(every, scrape), 2 * every + 2 * scrape
    stamps = [
        one.t[(np.diff(one.v, prepend=0.0) != 0) & (one.v > 0)] for one in evidence.metrics.select(drift.checked.metric)
    ]
    found: list[Blind] = []
    for times in stamps or [np.empty(0)]:
        found += _beats(times, window, reach, every_s=step, allowed_s=allowed, what="Drift checks")
    return found


def _requests(evidence: Evidence, window: Interval, reach: _Reach) -> list[Blind]:
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


_STREAMS: Mapping[str, Callable[[Evidence, Interval, _Reach], list[Blind]]] = {
    "metrics": _metrics,
    "alerts": _alerts,
    "notifications": _notifications,
    "logs": _logs,
    "drift": _drift,
    "requests": _requests,
}
