"""A clock that does not wait."""

from __future__ import annotations

from tocsin.harness.core.clock import Clock


class FakeClock(Clock):
    """A clock for tests: sleeping moves it, nothing waits."""

    def __init__(self, speed: float = 1.0, start: float = 1_000_000.0) -> None:
        self.speed = speed
        self._now = start

    def now(self) -> float:
        """Return the fake epoch seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the fake time forward."""
        self._now += max(seconds, 0.0)
