"""Intervals and quantiles, in plain Python: what a count of trials proves, and which value a share lies below."""

from __future__ import annotations

import math
from collections.abc import Sequence

_HALVINGS = 60  # of [0, 1]: the resolution of a float
_TERMS, _CLOSE, _TINY = 10_000, 1e-14, 1e-300


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least `share` (0 to 1) of them do not exceed; ValueError for no values.

    The nearest-rank definition: always a value that was seen, never one between two.
    """
    if not len(values):
        raise ValueError("no values to take a quantile of; expected at least one")
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share}; expected 0 to 1")
    ordered = sorted(values)
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
    low = 0.0 if hits == 0 else _beta_quantile(hits, trials - hits + 1, tail)
    high = 1.0 if hits == trials else _beta_quantile(hits + 1, trials - hits, 1 - tail)
    return low, high


def _beta_quantile(a: float, b: float, share: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _beta_below(a, b, middle) < share else (low, middle)
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
