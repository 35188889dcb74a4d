"""Latencies and counts of any number of requests in bounded memory: a histogram with 0.1 % error, and a summary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tocsin.harness.evidence.requests import ANSWERED, KINDS, OUTCOMES, read_file

LARGEST_ERROR = 0.001
"""By how much of its value a quantile of a Histogram is wrong at most."""

CHUNK_ROWS = 65_536
"""Records are read this many at a time: 5 MB."""

_LOW_S, _HIGH_S = 1e-6, 1e6
_STEP = 2 * math.log1p(0.99 * LARGEST_ERROR)  # from one bound to the next, in logarithms; 1 % is left to rounding
_BINS = math.ceil(math.log(_HIGH_S / _LOW_S) / _STEP) + 1


class Histogram:
    """Durations in bins of equal ratio, from 1 microsecond to 11 days; 112 kB, whatever it holds.

    A quantile is the geometric middle of its bin, so at most 0.1 % off. What is shorter than a microsecond, 0 and
    less included, counts as nothing: 0. The smallest and the largest value are kept exactly.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self.count = 0
        self.min = math.inf
        self.max = -math.inf
        self.sum = 0.0

    def add(self, values_s: np.ndarray) -> None:
        """Count many durations, in seconds; ValueError if one is not a number."""
        if not len(values_s):
            return
        values = np.asarray(values_s, dtype=np.float64)
        smallest, largest = float(values.min()), float(values.max())
        if not (math.isfinite(smallest) and math.isfinite(largest)):
            raise ValueError("a duration that is not a finite number; expected seconds")
        places = np.log(np.maximum(values, _LOW_S / 2))
        places -= math.log(_LOW_S)
        places /= _STEP
        self._counts += np.bincount(np.clip(places + 1, 0, _BINS - 1).astype(np.int32), minlength=_BINS)
        self.count += len(values)
        self.min, self.max = min(self.min, smallest), max(self.max, largest)
        self.sum += float(values.sum())

    def quantile(self, share: float) -> float:
        """Return the value that at least `share` (0 to 1) of all do not exceed, in seconds; ValueError for no values.

        The nearest rank, as in `statistics.quantile`.
        """
        if not self.count:
            raise ValueError("no values to take a quantile of; expected at least one")
        if not 0 <= share <= 1:
            raise ValueError(f"a share of {share}; expected 0 to 1")
        rank = max(math.ceil(share * self.count - 1e-9), 1)
        if rank == self.count:
            return self.max
        place = int(np.searchsorted(np.cumsum(self._counts), rank))
        middle = 0.0
        if place > 0:
            middle = _LOW_S * math.exp((place - 0.5) * _STEP)
        return min(max(middle, self.min), self.max)


@dataclass(frozen=True, kw_only=True)
class RequestSummary:
    """What a folder of request records holds. Counts are of all rows, canaries included.

    `latency` (intended to done) is that of the load's answers, `schedule_error` (intended to sent) that of all it sent.
    `per_s` counts the load's requests by the second in which they were sent, from epoch second `start_s` on.
    """

    count: int
    outcomes: Mapping[str, int]
    kinds: Mapping[str, int]
    statuses: Mapping[int, int]
    workers: Mapping[int, int]
    latency: Histogram
    schedule_error: Histogram
    start_s: int
    per_s: np.ndarray


def summarise(folder: Path) -> RequestSummary:
    """Summarise every record of a run's `requests/` folder, chunk by chunk; EvidenceError as for `read_requests`."""
    columns: dict[str, Counter[int]] = {name: Counter() for name in ("outcome", "kind", "status", "worker")}
    seconds: Counter[int] = Counter()
    latency, schedule_error = Histogram(), Histogram()
    for rows in chunks(folder):
        for name, counter in columns.items():
            counter.update(_counted(rows[name]))
        intended, sent, load = rows["intended"], rows["sent"], rows["worker"] > 0
        begun = load & ~np.isnan(sent)
        latency.add((rows["done"] - intended)[load & (rows["outcome"] == ANSWERED)])
        schedule_error.add((sent - intended)[begun])
        seconds.update(_counted(np.floor(sent[begun]).astype(np.int64)))
    start_s = min(seconds, default=0)
    per_s = np.zeros(max(seconds, default=start_s - 1) - start_s + 1, dtype=np.int64)
    for second, count in seconds.items():
        per_s[second - start_s] = count
    return RequestSummary(
        count=columns["worker"].total(),
        outcomes={OUTCOMES[place]: count for place, count in columns["outcome"].items()},
        kinds={KINDS[place]: count for place, count in columns["kind"].items()},
        statuses=columns["status"],
        workers=columns["worker"],
        latency=latency,
        schedule_error=schedule_error,
        start_s=start_s,
        per_s=per_s,
    )


def chunks(folder: Path, size: int = CHUNK_ROWS) -> Iterator[np.ndarray]:
    """Yield the records of a folder, at most `size` at a time, file by file in the order written; a torn tail is left.

    They lie in mapped files, not in memory of the process. EvidenceError if a file does not hold records.
    """
    for path in sorted(folder.glob("*.npy")):
        rows = read_file(path)
        yield from (rows[first : first + size] for first in range(0, len(rows), size))


def _counted(values: np.ndarray) -> dict[int, int]:
    """Return how often each integer comes."""
    if not len(values):
        return {}
    low = int(values.min())
    if int(values.max()) - low < 10 * CHUNK_ROWS:  # quicker than sorting, as long as they lie close together
        counts = np.bincount(values - low)
        distinct = np.flatnonzero(counts)
        counts, distinct = counts[distinct], distinct + low
    else:
        distinct, counts = np.unique(values, return_counts=True)
    return dict(zip(distinct.tolist(), counts.tolist(), strict=True))
