"""Drift of single features: a sliding window of inputs, compared with the reference by the Kolmogorov-Smirnov distance.

Nothing here reads a clock: callers pass monotonic seconds, so the same code runs at any speed and in tests.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE_ROWS = 500
LEAST_ROWS = 200
FALSE_ALARM_PER_CHECK = 1e-4
SLICES = 30


@dataclass(frozen=True)
class FeatureState:
    """One feature after a check. `score` is the KS distance, None without a decision (too few rows, or it failed)."""

    feature: str
    score: float | None
    detected: bool
    nan_ratio: float
    failed: bool = False


def ks_distance(sample: np.ndarray, sorted_reference: np.ndarray) -> float:
    """Return the exact two-sample KS distance, ties included, by searching the sample in the sorted reference.

    The distance between two step functions is largest at a step of the sample or just before one.
    """
    if not len(sample) or np.isnan(sample).any():
        raise ValueError("a KS distance needs a sample without NaN")
    ordered = np.sort(sample)
    gaps = []
    for side in ("left", "right"):
        below_reference = np.searchsorted(sorted_reference, ordered, side=side) / len(sorted_reference)
        gaps.append(np.abs(below_reference - np.searchsorted(ordered, ordered, side=side) / len(ordered)).max())
    return float(max(gaps))


def critical_distance(rows: int, reference_rows: int, tests: int) -> float:
    """Return the KS distance that one of `tests` healthy features exceeds with FALSE_ALARM_PER_CHECK at most.

    Asymptotic critical value with a Bonferroni correction (Smirnov 1948); ties make it conservative.
    """
    alpha = FALSE_ALARM_PER_CHECK / tests
    return math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt(1 / rows + 1 / reference_rows)


class _Slice:
    """A thirtieth of the window: a uniform reservoir of SAMPLE_ROWS rows, and counts of all rows and bad values."""

    def __init__(self, features: int) -> None:
        self.number = -1
        self.rows = np.empty((SAMPLE_ROWS, features))
        self.bad_values = np.zeros(features, dtype=np.int64)
        self.valid = self.received = 0

    def restart(self, number: int) -> None:
        self.number, self.valid, self.received = number, 0, 0
        self.bad_values[:] = 0

    @property
    def kept(self) -> int:
        return min(self.valid, SAMPLE_ROWS)


class RowWindow:
    """The rows of the last `window_s` seconds (up to a thirtieth more) in bounded memory, about 1 MB.

    However many rows pass, a sample of up to SAMPLE_ROWS drawn from it is uniform over the whole window.
    """

    def __init__(self, features: int, window_s: float, seed: int) -> None:
        self._slice_s = window_s / SLICES
        self._slices = [_Slice(features) for _ in range(SLICES + 1)]
        self._random = random.Random(seed)
        self._rng = np.random.default_rng(seed)

    def add(self, row: Sequence[float], now_s: float) -> None:
        """Add a row of finite numbers."""
        part = self._at(now_s)
        part.received += 1
        part.valid += 1
        place = part.valid - 1
        if place >= SAMPLE_ROWS:
            place = int(self._random.random() * part.valid)  # reservoir sampling, algorithm R (Vitter 1985)
            if place >= SAMPLE_ROWS:
                return
        part.rows[place] = row

    def add_bad(self, bad: Sequence[bool], now_s: float) -> None:
        """Count a row that was refused because some of its values, marked true, were no finite numbers."""
        part = self._at(now_s)
        part.received += 1
        part.bad_values += np.asarray(bad, dtype=np.int64)

    def sample(self, now_s: float, rows: int = SAMPLE_ROWS) -> np.ndarray:
        """Draw `rows` rows without replacement, or all when the window holds fewer."""
        parts = self._live(now_s)
        counts = [part.valid for part in parts]
        wanted = min(rows, sum(counts))
        if not wanted:
            return np.empty((0, self._slices[0].rows.shape[1]))
        shares = self._rng.multivariate_hypergeometric(counts, wanted, method="marginals")
        picked = [
            part.rows[self._rng.permutation(part.kept)[:share]]
            for part, share in zip(parts, shares, strict=True)
            if share
        ]
        return np.concatenate(picked)

    def nan_ratios(self, now_s: float) -> np.ndarray:
        """Return per feature the share of bad values among the rows received in the window; 0 for an empty one."""
        parts = self._live(now_s)
        received = sum(part.received for part in parts)
        return sum((part.bad_values for part in parts), np.zeros(self._slices[0].rows.shape[1])) / max(received, 1)

    def _at(self, now_s: float) -> _Slice:
        number = int(now_s // self._slice_s)
        part = self._slices[number % len(self._slices)]
        if part.number != number:
            part.restart(number)
        return part

    def _live(self, now_s: float) -> list[_Slice]:
        newest = int(now_s // self._slice_s)
        return [part for part in self._slices if newest - SLICES <= part.number <= newest and part.number >= 0]


class DriftMonitor:
    """Compares the window with a reference sample (rows x features), feature by feature."""

    def __init__(self, reference: np.ndarray, features: Sequence[str], window_s: float, seed: int = 1) -> None:
        self.features = tuple(features)
        self.window = RowWindow(len(self.features), window_s, seed)
        self.rows = 0
        self._sorted = [np.sort(np.asarray(reference[:, column], dtype=float)) for column in range(len(self.features))]

    def check(self, now_s: float) -> list[FeatureState]:
        """Judge every feature now. Below LEAST_ROWS nothing is decided: no score, and nothing stays detected."""
        sample = self.window.sample(now_s)
        ratios = self.window.nan_ratios(now_s)
        self.rows = len(sample)
        return [self._judge(column, sample[:, column], float(ratios[column])) for column in range(len(self.features))]

    def _judge(self, column: int, values: np.ndarray, nan_ratio: float) -> FeatureState:
        feature = self.features[column]
        if len(values) < LEAST_ROWS:
            return FeatureState(feature, None, False, nan_ratio)
        try:
            score = ks_distance(values, self._sorted[column])
            limit = critical_distance(len(values), len(self._sorted[column]), len(self.features))
        except Exception:  # one broken feature must not hide the others; it is counted
            return FeatureState(feature, None, False, nan_ratio, failed=True)
        return FeatureState(feature, score, score > limit, nan_ratio)
