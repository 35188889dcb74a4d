"""The axis of a panel: Grafana's unit of its values in words, and by how much they are divided to be readable.

https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit lists the units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_PLAIN = {
    "percent": "%",
    "reqps": "requests/s",
    "cps": "per second",
    "ops": "operations/s",
    "celsius": "°C",
    "watt": "W",
    "short": "",
    "none": "",
}
_STEPS = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h")),
    "ms": ((1e-3, "µs"), (1.0, "ms"), (1e3, "s"), (6e4, "min")),
    "bytes": ((1.0, "B"), (2**10, "KiB"), (2**20, "MiB"), (2**30, "GiB")),
    "decbytes": ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
}
_SMALLEST = {"bytes": "B", "decbytes": "B"}
"""Labels of values below the first step, where the label is not the unit itself."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What stands beside the axis, and what values are divided by to fit it."""

    label: str
    divisor: float = 1.0


def axis_of(unit: str, lines: Sequence[np.ndarray]) -> Axis:
    """Return the axis for values in a unit of Grafana; a unit that is not known stands there as it is."""
    if unit == "percentunit":
        return Axis(label="%", divisor=0.01)
    if unit not in _STEPS:
        return Axis(label=_PLAIN.get(unit, unit))
    values = np.concatenate([np.empty(0), *lines])
    high = max(np.abs(values[np.isfinite(values)]), default=0.0)
    fitting = [(step, name) for step, name in _STEPS[unit] if high >= step]
    step, name = next(reversed(fitting), (1.0, _SMALLEST.get(unit, unit)))
    return Axis(label=name, divisor=step)
