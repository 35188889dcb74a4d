"""Whole: does a run directory still hold all that was written into it, and was all written?

A record that lost its end, or a file, looks like a quiet system or like a service that miscounts. The journal knows
better: how much was `collected` of each stream, and which stream was lost (`stream_lost`) and never came back.
"""

from __future__ import annotations

from math import inf

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval

_MARGIN_S = 1.0
"""Wall seconds before a stream was noticed to be lost in which records may be missing already."""
_FILES = {"drift": "metrics", "alerts": "metrics"}
"""Streams whose samples come in with another one."""


def missing(evidence: Evidence, stream: str) -> list[tuple[Interval, str]]:
    """Return from where on the record of a stream is not whole, each with a sentence; empty where it is."""
    found = _broken_off(evidence, stream)
    for fact in evidence.facts("collected"):
        if fact.more.get("stream") == _FILES.get(stream, stream):
            written, there = int(fact.more.get("count", 0)), _there(evidence, stream, fact.more.get("worker"))
            if there is not None and there != written:
                text = f"The record of {stream} is not whole: {there} of {written} are there."
                found.append((Interval(start=-inf, end=inf), text))
    return found


def _broken_off(evidence: Evidence, stream: str) -> list[tuple[Interval, str]]:
    notes = [fact for name in ("stream_lost", "stream_back") for fact in evidence.facts(name)]
    notes = sorted((fact for fact in notes if fact.more.get("stream") == stream), key=lambda fact: fact.at)
    if not notes or notes[-1].fact == "stream_back" or stream == "logs":  # logs/summary.json says it better
        return []
    since = notes[-1].at - _MARGIN_S
    worker = notes[-1].more.get("worker")
    if worker is not None:  # a sender that ended unasked may have done so at any time after its last record
        mine = _intended(evidence, int(worker))
        since = float(mine[-1]) if len(mine) else -inf
    text = f"The record of {stream} broke off: {notes[-1].more.get('detail', 'no reason noted')}"
    return [(Interval(start=since, end=inf), f"{text.rstrip('.')}.")]


def _there(evidence: Evidence, stream: str, worker: int | None) -> int | None:
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
