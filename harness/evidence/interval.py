"""An interval of wall time."""

from __future__ import annotations

from dataclasses import dataclass


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
