"""Coverage: in which intervals a stream was blind. Silence of a stream is never taken for a quiet system.

Every stream has a heartbeat of its own (see `heartbeats`). One that stays away for too long is blindness from the last
beat to the next one, except where a fault of the drill blinds the stream on purpose. A record that lost its end, or a
file, is blindness too: the journal knows how much was `collected` and which stream was lost (`stream_lost`).
"""

from __future__ import annotations

from math import inf

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.heartbeats import STREAMS, Blind, SearchRange
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import increase

_MARGIN_S = 1.0
"""Wall seconds before a stream was noticed to be lost in which records may be missing already."""
_FILES = {"drift": "metrics", "alerts": "metrics"}
"""Streams whose samples come in with another one."""


def blind_intervals(evidence: Evidence, stream: str, window: Interval) -> list[Blind]:
    """Return where in `window` the stream was blind, each with a sentence; planned blindness is cut out.

    Streams: metrics, alerts, notifications, logs, drift, requests. ValueError for another name. However short the
    window, a gap is measured from the last beat before it to the first one after it. An incomplete record is
    blindness too.
    """
    if stream not in STREAMS:
        raise ValueError(f"{stream!r} is not a stream; expected one of {', '.join(STREAMS)}")
    holes = planned_blindness(evidence, stream)
    recorded = max((fact.at for fact in evidence.facts("settled")), default=-inf)
    blind: set[Blind] = set()
    for part in cut_out(window, holes):
        search = SearchRange(
            since=max((hole.end for hole in holes if hole.end <= part.start), default=-inf),
            until=min((hole.start for hole in holes if hole.start >= part.end), default=inf),
            recorded=recorded,
        )
        blind.update(STREAMS[stream](evidence, part, search))
        blind.update((lost.clipped(part), why) for lost, why in missing(evidence, stream) if lost.overlaps(part))
    return sorted(blind)


def rules_failed(evidence: Evidence, window: Interval) -> str:
    """Return that rules could not be evaluated in a window, without a full stop; empty if Prometheus counted none."""
    failures = []
    for series in evidence.metrics.select("prometheus_rule_evaluation_failures_total"):
        count = increase(series, window.start, window.end)
        group = series.labels.get("rule_group", "").rpartition(";")[2] or "without a name"
        if count > 0:
            failures.append(f"{group} ({count:g} times)")
    return f"Prometheus could not evaluate rules of the group {', '.join(sorted(failures))}" if failures else ""


def planned_blindness(evidence: Evidence, stream: str) -> list[Interval]:
    """Return when faults of the drill blinded the stream on purpose.

    From the injection until the effect was gone (or the heal was done, if nobody saw it go; or for ever, if it never
    was healed), plus the start time of the blinded role, which no speed divides.
    """
    intervals = []
    for fault in evidence.faults.values():
        for blinded, role in fault.blinds:
            if blinded == stream and fault.injected_at is not None:
                end = (fault.over_at or inf) + evidence.start_s(role)
                intervals.append(Interval(start=fault.injected_at, end=end))
    return sorted(intervals)


def cut_out(window: Interval, holes: list[Interval]) -> list[Interval]:
    """Return what is left of a window after taking out the holes, by start."""
    parts, start = [], window.start
    for hole in sorted(holes):
        parts.append(Interval(start=start, end=min(hole.start, window.end)))
        start = max(start, hole.end)
    parts.append(Interval(start=start, end=window.end))
    return [part for part in parts if part.seconds > 0]


def missing(evidence: Evidence, stream: str) -> list[tuple[Interval, str]]:
    """Return from where on the record of a stream is incomplete, each with a sentence; empty where it is complete."""
    incomplete = _broken_off(evidence, stream)
    for fact in evidence.facts("collected"):
        if fact.more.get("stream") != _FILES.get(stream, stream):
            continue
        written, present = int(fact.more.get("count", 0)), _count(evidence, stream, fact.more.get("worker"))
        if present is not None and present != written:
            text = f"The record of {stream} is not whole: {present} of {written} are there."
            incomplete.append((Interval(start=-inf, end=inf), text))
    return incomplete


def _broken_off(evidence: Evidence, stream: str) -> list[tuple[Interval, str]]:
    notes = [fact for fact in evidence.journal if fact.fact in ("stream_lost", "stream_back")]
    last = next((fact for fact in reversed(notes) if fact.more.get("stream") == stream), None)
    if last is None or last.fact == "stream_back" or stream == "logs":  # logs/summary.json says it better
        return []
    since, worker = last.at - _MARGIN_S, last.more.get("worker")
    if worker is not None:  # a sender that ended unasked may have done so at any time after its last record
        since = max(_intended(evidence, int(worker)), default=-inf)
    text = f"The record of {stream} broke off: {last.more.get('detail', 'no reason noted')}"
    return [(Interval(start=float(since), end=inf), f"{text.rstrip('.')}.")]


def _count(evidence: Evidence, stream: str, worker: int | None) -> int | None:
    """Return how many records are there, None where they are not counted."""
    if _FILES.get(stream, stream) == "metrics":
        return evidence.metrics.samples
    if stream == "notifications":
        return len(evidence.notifications)
    if stream == "logs":
        return len(evidence.logs.documents)
    return len(_intended(evidence, worker)) if stream == "requests" and worker is not None else None


def _intended(evidence: Evidence, worker: int) -> np.ndarray:
    rows = evidence.requests
    intended: np.ndarray = rows["intended"][rows["worker"] == worker]
    return intended
