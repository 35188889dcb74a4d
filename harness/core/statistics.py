"""Intervals, quantiles and sample sizes: what a count of trials proves, and which value a share lies below."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_HALVINGS = 60  # of [0, 1]: the resolution of a float
_TERMS, _CLOSE, _TINY = 100_000, 1e-14, 1e-300
_MOST_TRIALS = 10**9


def quantile(values: Sequence[float] | np.ndarray, share: float) -> float:
    """Return the smallest of `values` that at least `share` (0 to 1) of them do not exceed; ValueError for no values.

    The nearest-rank definition: always a value that was seen, never one between two.
    """
    if not len(values):
        raise ValueError("no values to take a quantile of; expected at least one")
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share}; expected 0 to 1")
    ordered = np.sort(values) if isinstance(values, np.ndarray) else sorted(values)
    return float(ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1])


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval (0 to 1) for the probability behind `hits` of `trials`.

    No trials prove nothing: (0, 1). Source: Clopper and Pearson, Biometrika 26 (1934), as quantiles of the beta law.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials; expected 0 to {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence}; expected between 0 and 1")
    tail = (1 - confidence) / 2
    low, high = 0.0, 1.0
    if hits > 0:
        low = _beta_quantile(hits, trials - hits + 1, tail)
    if hits < trials:
        high = _beta_quantile(hits + 1, trials - hits, 1 - tail)
    return low, high


def binomial_at_most(hits: int, trials: int, share: float) -> float:
    """Return the probability of at most `hits` in `trials` that each hit with probability `share` (0 to 1)."""
    if not 0 <= share <= 1 or trials < 0:
        raise ValueError(f"a share of {share} in {trials} trials; expected 0 to 1 in at least 0")
    if hits < 0:
        return 0.0
    if hits >= trials or share == 0:
        return 1.0
    if share == 1:
        return 0.0
    return _beta_below(trials - hits, hits + 1, 1 - share)


def beyond_all(hits: int, trials: int, others: int) -> float:
    """Return the probability that at least `hits` of `trials` values lie above all of `others`, by chance.

    All values are taken to be independent and from one distribution: then the `hits` largest are any of them alike
    (Rosenbaum, Annals of Mathematical Statistics 25, 1954, p. 146).
    """
    if not 0 <= hits <= trials or others < 0:
        raise ValueError(f"{hits} of {trials} values above {others} others; expected 0 <= hits <= trials")
    return math.prod((trials - place) / (trials + others - place) for place in range(hits))


def trials_needed(share_seen: float, share_allowed: float, confidence: float) -> int | None:
    """Return how many trials prove a share below `share_allowed` if `share_seen` of them hit; None: no number does.

    459 without a hit prove less than 1 % at 99 % confidence. Beyond a thousand million trials the answer is None.
    """
    if share_seen >= share_allowed:
        return None

    def prove(trials: int) -> bool:
        return binomial_at_most(math.ceil(share_seen * trials - 1e-9), trials, share_allowed) <= 1 - confidence

    high = 1
    while not prove(high):
        high *= 2
        if high > _MOST_TRIALS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if prove(middle):
            high = middle
        else:
            low = middle
    return high


def poisson_surprise(counts: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return s for each count such that one as far from its Poisson mean, on its side, has a chance of at most exp(-s).

    The Chernoff bound n ln(n / m) - n + m, which holds for every m. A count where none is expected: infinity.
    """
    counts, means = np.asarray(counts, dtype=np.float64), np.asarray(means, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(counts > 0, counts * np.log(counts / means), 0.0)
    surprise: np.ndarray = np.where(means > 0, logs - counts + means, np.where(counts > 0, np.inf, 0.0))
    return surprise


def distance(shares: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of values from a law, given the law's share below each value."""
    ordered, count = np.sort(shares), len(shares)
    steps = np.arange(count + 1) / count
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def distance_allowed(count: int, chance: float) -> float:
    """Return the distance that `count` values of the law itself exceed with at most this chance.

    The inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant (Annals of Probability 18, 1990).
    """
    return math.sqrt(math.log(2 / chance) / (2 * count))


def _beta_quantile(a: float, b: float, share: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _beta_below(a, b, middle) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_below(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x > (a + 1) / (a + b + 2):  # the fraction converges quickly only below the mean
        return 1 - _beta_below(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of I_x(a, b) by Lentz's method (DLMF 8.17.22)."""
    value = d = 1 / _off_zero(1 - (a + b) * x / (a + 1))
    c = 1.0
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
