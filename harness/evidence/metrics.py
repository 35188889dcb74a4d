"""Metrics: every series that Prometheus held during the run, sample by sample, and what can be asked of one.

They lie in segments below `metrics/`, a file for each pull: an uncompressed npz of `t` (epoch seconds) and `v` of all
series one after the other, `offsets` (series i is `t[offsets[i]:offsets[i + 1]]`), `labels` (zlib: one JSON object a
line, keys sorted, line i for series i).
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Segment:
    """The samples of one pull, as laid out in its file; `labels` still packed."""

    labels: bytes
    offsets: np.ndarray
    t: np.ndarray
    v: np.ndarray

    @property
    def lines(self) -> list[bytes]:
        """One JSON object per series."""
        return zlib.decompress(self.labels).splitlines()


def write_segment(path: Path, series: Sequence[tuple[Mapping[str, str], np.ndarray]]) -> int:
    """Write pairs (labels with `__name__`, samples as rows of time and value); return how many samples.

    The file appears whole or not at all.
    """
    named = [(json.dumps(dict(labels), sort_keys=True), rows) for labels, rows in series]
    named.sort(key=lambda pair: pair[0])
    samples = np.concatenate([np.empty((0, 2)), *(rows for _, rows in named)])
    lines = "\n".join(line for line, _ in named).encode()
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(
            file,
            t=samples[:, 0],
            v=samples[:, 1],
            offsets=np.cumsum([0, *(len(rows) for _, rows in named)]).astype(np.int64),
            labels=np.frombuffer(zlib.compress(lines, level=1), dtype=np.uint8),
        )
    os.replace(partial, path)
    return len(samples)


def read_segments(folder: Path) -> list[Segment]:
    """Return all segments in the order written; a torn or foreign file is left out, a missing folder holds none."""
    segments = []
    for path in sorted(folder.glob("*.npz")):
        with contextlib.suppress(BadZipFile, EOFError, KeyError, OSError, ValueError), np.load(path) as file:
            labels = file["labels"].tobytes()
            segments.append(Segment(labels=labels, offsets=file["offsets"], t=file["t"], v=file["v"]))
    return segments


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series: its labels with `__name__`, sample times (epoch seconds, ascending, each once) and values."""

    labels: Mapping[str, str]
    t: np.ndarray
    v: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """All series of a run. A series is put together when its name is first asked for."""

    _labels: tuple[str, ...]
    """One JSON object per series."""
    _starts: np.ndarray
    """Series i is at `_starts[i]:_starts[i + 1]` of `_t` and `_v`, in the order written, duplicates included."""
    _t: np.ndarray
    _v: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> Metrics:
        """Read the segments in `folder`; no folder, or none readable, gives no series."""
        segments = read_segments(folder)
        numbers: dict[bytes, int] = {}
        owner = _joined(_series_numbers(segments, numbers), np.int32)
        t, v = _joined(segment.t for segment in segments), _joined(segment.v for segment in segments)
        order = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[order], np.arange(len(numbers) + 1))
        labels = tuple(line.decode() for line in numbers)
        return cls(_labels=labels, _starts=starts, _t=t[order], _v=v[order])

    @property
    def samples(self) -> int:
        """How many samples the files hold, those that are there twice included."""
        return len(self._t)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[int, dict[str, str]]]]:
        by_name: dict[str, list[tuple[int, dict[str, str]]]] = {}
        for number, line in enumerate(self._labels):
            labels = json.loads(line)
            by_name.setdefault(labels.get("__name__", ""), []).append((number, labels))
        return by_name

    @cached_property
    def _built(self) -> dict[int, Series]:
        return {}

    def names(self) -> tuple[str, ...]:
        """Return every metric name, sorted."""
        return tuple(sorted(self._by_name))

    def select(self, name: str, **labels: str) -> list[Series]:
        """Return the series of a metric whose labels include the given ones exactly; none: an empty list."""
        wanted = labels.items()
        return [self._series(number, has) for number, has in self._by_name.get(name, []) if wanted <= has.items()]

    def _series(self, number: int, labels: dict[str, str]) -> Series:
        if number not in self._built:
            part = slice(self._starts[number], self._starts[number + 1])
            t, first = np.unique(self._t[part], return_index=True)
            self._built[number] = Series(labels=labels, t=t, v=self._v[part][first])
        return self._built[number]


def _series_numbers(segments: list[Segment], numbers: dict[bytes, int]) -> list[np.ndarray]:
    """Return per segment the series number of each sample; `numbers` maps a label line to its number and grows."""
    per_segment = []
    labels, ids = None, np.empty(0, dtype=np.int32)
    for segment in segments:
        if segment.labels != labels:  # the same series in the same order is the usual case
            labels = segment.labels
            ids = np.array([numbers.setdefault(line, len(numbers)) for line in segment.lines], dtype=np.int32)
        per_segment.append(np.repeat(ids, np.diff(segment.offsets)))
    return per_segment


def _joined(parts: Iterable[np.ndarray], dtype: type = np.float64) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts])


def sample_times(series: Iterable[Series]) -> np.ndarray:
    """Return the times at which any of these series has a sample, ascending, each once."""
    return np.unique(_joined(one.t for one in series))


def at(series: Series, t: float) -> float | None:
    """Return the last value at or before `t` (epoch seconds), None before the first sample."""
    until = int(np.searchsorted(series.t, t, side="right"))
    return float(series.v[until - 1]) if until else None


def increase(series: Series, start: float, end: float) -> float:
    """Return how much a counter grew from its last sample at or before `start` to its last one at or before `end`.

    A series born after `start` counts from its first sample. A fall is a restart from zero, so what follows it counts
    in full. No two samples in reach: 0.
    """
    low = max(int(np.searchsorted(series.t, start, side="right")) - 1, 0)
    high = int(np.searchsorted(series.t, end, side="right"))
    values = series.v[low:high]
    steps = np.diff(values)
    return float(np.where(steps < 0, values[1:], steps).sum())
