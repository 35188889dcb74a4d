"""Latencies and counts of any number of requests in bounded memory: a histogram with 0.1 % error, and a summary."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.requests import ANSWERED, KINDS, OUTCOMES, RECORD

LARGEST_ERROR = 0.001
"""By how much of its value a quantile of a Histogram is wrong at most."""

CHUNK_ROWS = 65_536
"""Records are read so many at a time: 5 MB."""

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

    def merge(self, other: Histogram) -> None:
        """Count what another one holds as well."""
        self._counts += other._counts
        self.count += other.count
        self.min, self.max = min(self.min, other.min), max(self.max, other.max)
        self.sum += other.sum

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
        middle = 0.0 if place == 0 else _LOW_S * math.exp((place - 0.5) * _STEP)
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
    found = _Counting()
    for rows in chunks(folder):
        found.add(rows)
    start_s = min(found.seconds, default=0)
    per_s = np.zeros(max(found.seconds, default=start_s - 1) - start_s + 1, dtype=np.int64)
    for second, count in found.seconds.items():
        per_s[second - start_s] = count
    return RequestSummary(
        count=found.count,
        outcomes=_named(found.outcome, dict(enumerate(OUTCOMES))),
        kinds=_named(found.kind, dict(enumerate(KINDS))),
        statuses=_numbered(found.status),
        workers=_numbered(found.worker),
        latency=found.latency,
        schedule_error=found.late,
        start_s=start_s,
        per_s=per_s,
    )


def chunks(folder: Path, size: int = CHUNK_ROWS) -> Iterator[np.ndarray]:
    """Yield the records of a folder, at most `size` at a time, file by file in the order written; a torn tail is left.

    Each chunk is valid until the next one is asked for. EvidenceError if a file does not hold records of this version.
    """
    room = bytearray(size * RECORD.itemsize)
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb", buffering=0) as file:
            if not _past_header(file, path):
                continue
            while got := _fill(file, room):
                yield np.frombuffer(room, dtype=RECORD, count=got // RECORD.itemsize)


@dataclass
class _Counting:
    count: int = 0
    outcome: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    kind: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    status: np.ndarray = field(default_factory=lambda: np.zeros(65_536, np.int64))
    worker: np.ndarray = field(default_factory=lambda: np.zeros(65_536, np.int64))
    latency: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)
    seconds: dict[int, int] = field(default_factory=dict)

    def add(self, rows: np.ndarray) -> None:
        self.count += len(rows)
        for name in ("outcome", "kind", "status", "worker"):
            total = getattr(self, name)
            found = np.bincount(rows[name])
            total[: len(found)] += found
        load = rows["worker"] > 0
        intended, sent = rows["intended"], rows["sent"]
        answered = load & (rows["outcome"] == ANSWERED)
        self.latency.add((rows["done"] - intended)[answered])
        begun = load & ~np.isnan(sent)
        self.late.add((sent - intended)[begun])
        self._add_seconds(np.floor(sent[begun]).astype(np.int64))

    def _add_seconds(self, seconds: np.ndarray) -> None:
        if not len(seconds):
            return
        first = int(seconds.min())
        if int(seconds.max()) - first < 10 * CHUNK_ROWS:
            counts = np.bincount(seconds - first)
            places = np.flatnonzero(counts)
            pairs = zip((places + first).tolist(), counts[places].tolist(), strict=True)
        else:
            names, counts = np.unique(seconds, return_counts=True)
            pairs = zip(names.tolist(), counts.tolist(), strict=True)
        for second, count in pairs:
            self.seconds[second] = self.seconds.get(second, 0) + count


def _past_header(file: io.FileIO, path: Path) -> bool:
    """Move past the header; False if the file ends within it."""
    magic = npy.magic(1, 0)
    start = file.read(len(magic) + 2)
    length = int.from_bytes(start[len(magic) :], "little")
    header = file.read(length)
    torn = len(start) < len(magic) + 2 or len(header) < length
    if not magic.startswith(start[: len(magic)]) or not (torn or str(npy.dtype_to_descr(RECORD)).encode() in header):
        raise EvidenceError(
            f"{path} does not hold request records of this version: it begins with {(start + header)[:80]!r}.",
            hint="Copy the run directory again, or judge it with the version that wrote it.",
        )
    return not torn


def _fill(file: io.FileIO, room: bytearray) -> int:
    """Read until `room` is full or the file is over; return how many bytes came."""
    view, got = memoryview(room), 0
    while got < len(room) and (more := file.readinto(view[got:])):
        got += more
    return got if got >= RECORD.itemsize else 0


def _named(counts: np.ndarray, names: Mapping[int, str]) -> dict[str, int]:
    return {names.get(place, str(place)): count for place, count in _numbered(counts).items()}


def _numbered(counts: np.ndarray) -> dict[int, int]:
    return {int(place): int(counts[place]) for place in np.flatnonzero(counts)}
