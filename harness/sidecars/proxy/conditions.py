"""What an edge does to its traffic: delay, bandwidth, slices, partition, refusal, reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal["to", "from"]
"""`to`: from the caller to the role called; `from`: back."""
_BANDWIDTH_STEPS_PER_S = 50


@dataclass(frozen=True)
class Conditions:
    """What an edge does to its traffic; zero and empty mean nothing.

    `delay_ms`, plus or minus up to `jitter_ms`, is added on the way to the role, so once per round trip.
    `bytes_per_s` and `slice_bytes` (pieces of that size, `slice_ms` apart) hold for each direction of a connection.
    `hold` keeps what goes `to`, `from` or `both` ways until it is released, as a partition does. `close_after_bytes`
    ends a connection after that many bytes of the answer. `mode`: `refuse` stops listening, `reset` resets connections.
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
        """Return whether this direction is held."""
        return self.hold in (way, "both")

    def delays(self, way: Way) -> bool:
        """Return whether anything in this direction is not forwarded at once."""
        if self.holds(way) or self.bytes_per_s or self.slice_bytes:
            return True
        return way == "to" and bool(self.delay_ms or self.jitter_ms)

    def piece_bytes(self, size: int) -> int:
        """Return the size of the pieces in which `size` bytes are forwarded."""
        if self.slice_bytes:
            return self.slice_bytes
        if self.bytes_per_s:
            return max(int(self.bytes_per_s / _BANDWIDTH_STEPS_PER_S), 1)
        return size

    def transfer_s(self, size: int) -> float:
        """Return the seconds that the bandwidth takes for `size` bytes."""
        return size / self.bytes_per_s if self.bytes_per_s else 0.0
