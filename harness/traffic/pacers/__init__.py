"""When to send: pure functions (rate, length, random generator) -> intended offsets in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from harness.traffic.pacers.constant import constant
from harness.traffic.pacers.poisson import poisson

Pacer = Callable[[float, float, np.random.Generator], np.ndarray]

ALL: Mapping[str, Pacer] = {"constant": constant, "poisson": poisson}
"""The values of `arrivals`."""
