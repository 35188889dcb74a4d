"""Metrics: every series that Prometheus held during the run, sample by sample, and what can be asked of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tocsin.harness.evidence.metric_segments import Segment, read_segments


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
        known: dict[bytes, int] = {}
        owners = _owners(segments, known)
        owner, t, v = _joined(owners), _joined([s.t for s in segments]), _joined([s.v for s in segments])
        order = np.argsort(owner, kind="stable")
        starts = np.searchsorted(owner[order], np.arange(len(known) + 1))
        labels = tuple(line.decode() for line in known)
        return cls(_labels=labels, _starts=starts, _t=t[order], _v=v[order])

    @property
    def samples(self) -> int:
        """How many samples the files hold, those that are there twice included."""
        return len(self._t)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[int, dict[str, str]]]]:
        found: dict[str, list[tuple[int, dict[str, str]]]] = {}
        for at, line in enumerate(self._labels):
            labels = json.loads(line)
            found.setdefault(labels.get("__name__", ""), []).append((at, labels))
        return found

    @cached_property
    def _built(self) -> dict[int, Series]:
        return {}

    def names(self) -> tuple[str, ...]:
        """Return every metric name, sorted."""
        return tuple(sorted(self._by_name))

    def select(self, name: str, **labels: str) -> list[Series]:
        """Return the series of a metric whose labels include the given ones exactly; none: an empty list."""
        wanted = labels.items()
        return [self._series(at, has) for at, has in self._by_name.get(name, []) if wanted <= has.items()]

    def _series(self, at: int, labels: dict[str, str]) -> Series:
        if at not in self._built:
            part = slice(self._starts[at], self._starts[at + 1])
            t, first = np.unique(self._t[part], return_index=True)
            self._built[at] = Series(labels=labels, t=t, v=self._v[part][first])
        return self._built[at]


def _owners(segments: list[Segment], known: dict[bytes, int]) -> list[np.ndarray]:
    """Return per segment the series number of each sample; `known` maps a label line to its number and grows."""
    owners = []
    blob, ids = None, np.empty(0, dtype=np.int32)
    for segment in segments:
        if segment.labels != blob:  # the same series in the same order is the usual case
            blob = segment.labels
            ids = np.array([known.setdefault(line, len(known)) for line in segment.lines], dtype=np.int32)
        owners.append(np.repeat(ids, np.diff(segment.offsets)))
    return owners


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def at(series: Series, t: float) -> float | None:
    """Return the last value at or before `t` (epoch seconds), None before the first sample."""
    index = int(np.searchsorted(series.t, t, side="right")) - 1
    return float(series.v[index]) if index >= 0 else None


def increase(series: Series, start: float, end: float) -> float:
    """Return how much a counter grew from its last sample at or before `start` to its last one at or before `end`.

    A series born after `start` counts from its first sample. A fall is a restart from zero, so what follows it counts
    in full. No two samples in reach: 0.
    """
    low = max(int(np.searchsorted(series.t, start, side="right")) - 1, 0)
    high = int(np.searchsorted(series.t, end, side="right"))
    values = series.v[low:high]
    if len(values) < 2:
        return 0.0
    steps = np.diff(values)
    return float(np.where(steps < 0, values[1:], steps).sum())


def resets(series: Series) -> int:
    """Return how many times a counter fell."""
    return int(np.count_nonzero(np.diff(series.v) < 0))
