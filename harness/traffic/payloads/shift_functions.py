"""What each shift does to one feature: a table of small functions, and how much of it was really done.

Each function gets the values that would have been sent, and returns the changed ones with a pair: what was done, and
what would be the unit of the shift's size at full strength. The ratio of their sums over a phase is the achieved size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tocsin.harness.core.errors import StackError

_MOST_LEVELS = 50


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature's yardstick: its reference values without missing ones; whether they are whole numbers or text."""

    name: str
    reference: np.ndarray
    whole: bool
    text: bool

    @property
    def mean(self) -> float:
        """The reference mean."""
        return float(self.reference.mean())

    @property
    def sd(self) -> float:
        """The reference standard deviation."""
        return float(self.reference.std())

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """Round if the feature holds whole numbers: a fraction would move every tie and be seen at any size."""
        return values.round() if self.whole else values


@dataclass(frozen=True, kw_only=True)
class Dose:
    """How much: the declared size, the strength per request (0 to 1), and the block's random stream."""

    size: float
    strength: np.ndarray
    rng: np.random.Generator
    at_sd: float = 0.0

    def hits(self) -> np.ndarray:
        """Choose requests at random, by size x strength."""
        return chosen(self.size * self.strength, self.rng)


def chosen(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose at random, each by its own chance, and yet exactly sum(chances) in all, give or take one."""
    order = rng.permutation(len(chances))
    passed = np.floor(np.cumsum(chances[order]) + rng.random())
    hits = np.empty(len(order), dtype=bool)
    hits[order] = np.diff(passed, prepend=0.0) > 0
    return hits


Change = tuple[np.ndarray, float, float]


def mean(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Add `by_sd` standard deviations of the reference."""
    moved = feature.rounded(values + dose.size * feature.sd * dose.strength)
    done = float(np.nansum(moved - values)) / feature.sd if feature.sd else 0.0
    return moved, done, float(dose.strength[~np.isnan(values)].sum())


def scale(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Multiply the distance from the reference mean by `factor` (1: nothing)."""
    away = values - feature.mean
    moved = feature.rounded(feature.mean + away * (1 + (dose.size - 1) * dose.strength))
    full = float(np.nansum(dose.strength * away**2))
    return moved, float(np.nansum((moved - values) * away)) + full, full  # the slope, plus 1


def outliers(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Replace a `share` of the values by the reference mean plus or minus `at_sd` standard deviations."""
    hits = dose.hits()
    sides = np.where(dose.rng.random(len(values)) < 0.5, -1.0, 1.0)
    far = feature.rounded(feature.mean + sides * dose.at_sd * feature.sd)
    moved = np.where(hits, far, values)
    away = np.abs(moved - feature.mean) >= dose.at_sd * feature.sd - 0.5 - 1e-9 * abs(feature.mean)
    return moved, float((hits & away).sum()), float(dose.strength.sum())


def zeros(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Replace a `share` of the values by 0."""
    hits = dose.hits()
    moved = np.where(hits, 0.0, values)
    return moved, float((hits & (moved == 0)).sum()), float(dose.strength.sum())


def clipping(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Clip at both ends where, in the reference, half of `share` lies beyond. Ties at the bound are not changed."""
    tail = np.minimum(dose.size * dose.strength, 1.0) / 2
    low = np.quantile(feature.reference, tail, method="higher")
    high = np.quantile(feature.reference, 1 - tail, method="lower")
    low, high = np.minimum(low, high), np.maximum(low, high)
    moved = np.clip(values, low, high)
    return moved, float((moved != values).sum() - np.isnan(values).sum()), float(dose.strength.sum())


def swap(values: np.ndarray, feature: Feature, dose: Dose) -> Change:
    """Replace a `share` of the values by the next category, the last by the first."""
    levels = np.unique(feature.reference)
    if not feature.text and (len(levels) > _MOST_LEVELS or not feature.whole):
        raise StackError(
            f"{feature.name} has {len(levels)} values and is no category; a swap takes at most {_MOST_LEVELS}.",
            hint="Name a feature of text or of few whole numbers, or another shift.",
        )
    hits = dose.hits()
    nearest = np.searchsorted(levels, values, side="right") % len(levels)
    moved = np.where(hits, levels[nearest], values)
    return moved, float((hits & (moved != values)).sum()), float(dose.strength.sum())


Apply = Callable[[np.ndarray, Feature, Dose], Change]
OF_VALUES: Mapping[str, Apply] = {
    "mean": mean,
    "scale": scale,
    "outliers": outliers,
    "zeros": zeros,
    "clipping": clipping,
    "swap": swap,
}
"""Shift -> what it does to a feature's values. `missing` and `nan` change what is sent for a value instead."""

OF_NUMBERS = ("mean", "scale", "outliers", "zeros", "clipping")
"""Shifts that text cannot have."""
