"""Evenly spaced arrivals."""

from __future__ import annotations

import math

import numpy as np


def constant(rate_per_s: float, length_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return offsets 0, 1/rate, 2/rate ... below `length_s`, seconds. `rng` is not used: nothing here is random."""
    count = math.ceil(round(rate_per_s * length_s, 6))
    return np.arange(count) / rate_per_s
