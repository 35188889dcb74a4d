"""What an edge does to the traffic that goes over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal["to", "from"]
"""`to`: from the caller to the role called; `from`: back."""


@dataclass(frozen=True)
class Conditions:
    """What an edge does to its traffic; zero and empty: nothing.

    `delay_ms` with up to `jitter_ms` more or less is added on the way to the role called, so once per round trip.
    `bytes_per_s` and `slice_bytes` (pieces of so many bytes, `slice_ms` apart) hold for each direction of a connection.
    `hold` keeps what goes `to`, `from` or `both` ways until it is released, as a partition does. `close_after_bytes`
    ends a connection once so many bytes came back. `mode`: `refuse` stops listening, `reset` resets every connection.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    bytes_per_s: float = 0.0
    slice_bytes: int = 0
    slice_ms: float = 0.0
    hold: Literal["", "to", "from", "both"] = ""
    close_after_bytes: int = 0
    mode: Literal["pass", "refuse", "reset"] = "pass"

    def holds(self, way: Way) -> bool:
        """Tell whether this direction is held."""
        return self.hold in (way, "both")

    def delays(self, way: Way) -> bool:
        """Tell whether this direction is anything but passed on at once."""
        slow = self.bytes_per_s or self.slice_bytes or (way == "to" and (self.delay_ms or self.jitter_ms))
        return bool(slow) or self.holds(way)
