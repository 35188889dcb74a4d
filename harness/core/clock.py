"""One clock per run: wall time anchored once, advanced by the monotonic clock; production time and back; waiting.

Production time is what a scenario is written in. At speed K a production second takes 1/K wall seconds.
Every time kept in evidence is epoch seconds of this clock, so a step of the machine's clock moves nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Protocol

from tocsin.harness.core.errors import WaitTimeout

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as `15m`, `1h30m` or `500ms`; ValueError if it is not one."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m or 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """Return seconds as a short duration that Prometheus accepts: `1h30m`, `500ms`, `0s`; rounded to 1 ms."""
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


class Clock(Protocol):
    """What every stage may ask about time. `speed` is K; times are epoch seconds."""

    speed: float

    def now(self) -> float: ...  # noqa: D102
    def sleep(self, seconds: float) -> None: ...  # noqa: D102

    def wait_until(
        self, seen: Callable[[], tuple[bool, str]], *, awaited: str, within_s: float, every_s: float = 0.05
    ) -> float:
        """Ask `seen` until its first item is true and return the wall seconds that took.

        `seen` returns (done, last state in words). WaitTimeout names what was awaited, how long, and that state.
        """
        start = self.now()
        while True:
            done, state = seen()
            elapsed = self.now() - start
            if done:
                return elapsed
            if elapsed >= within_s:
                raise WaitTimeout(f"Waited {elapsed:.1f} s for {awaited}; last seen: {state}.")
            self.sleep(min(every_s, max(within_s - elapsed, 0.001)))


class RunClock(Clock):
    """The real clock: wall time at construction plus monotonic time since."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.wall_start = time.time()
        self.monotonic_start = time.monotonic()

    def now(self) -> float:
        """Return epoch seconds: wall at start plus monotonic time since."""
        return self.wall_start + (time.monotonic() - self.monotonic_start)

    def sleep(self, seconds: float) -> None:
        """Wait for so many wall seconds."""
        time.sleep(max(seconds, 0.0))
