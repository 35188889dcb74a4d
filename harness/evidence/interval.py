"""An interval of wall time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, order=True)
class Interval:
    """From `start` to `end`, epoch seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length in wall seconds."""
        return self.end - self.start

    def overlaps(self, other: Interval) -> bool:
        """Tell whether both share more than a point."""
        return self.start < other.end and other.start < self.end

    def touches(self, other: Interval) -> bool:
        """Tell whether both share at least a point."""
        return self.start <= other.end and other.start <= self.end

    def holds(self, times: np.ndarray) -> np.ndarray:
        """Return which times (epoch seconds) lie in it, its ends included."""
        return (times >= self.start) & (times <= self.end)

    def clipped(self, other: Interval) -> Interval:
        """Return the part of it that lies in the other one; of negative length where they share nothing."""
        return Interval(start=max(self.start, other.start), end=min(self.end, other.end))
