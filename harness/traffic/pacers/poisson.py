"""Arrivals of many independent callers: exponential gaps."""

from __future__ import annotations

import math

import numpy as np


def poisson(rate_per_s: float, length_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return sorted offsets in [0, length_s), seconds: a Poisson process, so their number varies by its square root."""
    mean = rate_per_s * length_s
    size = math.ceil(mean + 6 * math.sqrt(mean) + 10)
    offsets = np.cumsum(rng.exponential(1 / rate_per_s, size))
    while offsets[-1] < length_s:
        offsets = np.append(offsets, offsets[-1] + np.cumsum(rng.exponential(1 / rate_per_s, size)))
    return offsets[offsets < length_s]
