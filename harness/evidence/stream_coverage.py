"""Vouch: in which intervals a stream was blind. Silence of a stream is never taken for a quiet system.

Every stream has a heartbeat of its own (see `heartbeats`). One that stays away for too long is blindness from the last
beat to the next one, except where a fault of the drill blinds the stream on purpose.
"""

from __future__ import annotations

from math import inf

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.heartbeats import STREAMS, Blind, SearchRange
from tocsin.harness.evidence.integrity import missing
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import increase


def blind_intervals(evidence: Evidence, stream: str, window: Interval) -> list[Blind]:
    """Return where in `window` the stream was blind, each with a sentence; planned blindness is cut out.

    Streams: metrics, alerts, notifications, logs, drift, requests. ValueError for another name. However short the
    window, a gap is measured from the last beat before it to the first one after it. A record that is not whole is
    blindness too.
    """
    if stream not in STREAMS:
        raise ValueError(f"{stream!r} is not a stream; expected one of {', '.join(STREAMS)}")
    holes, settled = planned_blindness(evidence, stream), evidence.facts("settled")
    recorded = settled[-1].at if settled else -inf
    found: list[Blind] = []
    for part in cut_out(window, holes):
        since = max((hole.end for hole in holes if hole.end <= part.start), default=-inf)
        until = min((hole.start for hole in holes if hole.start >= part.end), default=inf)
        found += STREAMS[stream](evidence, part, SearchRange(since=since, until=until, recorded=recorded))
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


def planned_blindness(evidence: Evidence, stream: str) -> list[Interval]:
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


def cut_out(window: Interval, holes: list[Interval]) -> list[Interval]:
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
