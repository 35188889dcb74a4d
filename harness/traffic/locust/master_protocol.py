"""What master and workers share: messages, the proof that a side knows the token, clock measurement, silence."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tocsin.harness.traffic.stdout_events import Event
from tocsin.harness.traffic.worker_pool import TOKEN as TOKEN

HELLO, CHALLENGE, JOIN, REFUSED = "tocsin_hello", "tocsin_challenge", "tocsin_join", "tocsin_refused"
PING, PONG, PLAN, START, STOP, BYE = (f"tocsin_{word}" for word in ("ping", "pong", "plan", "start", "stop", "bye"))
EVENT, ROWS = "tocsin_event", "tocsin_rows"
"""From a worker: the events of a traffic process (ready, rate, done, error), and rows of RECORD as bytes."""

PINGS = 16
"""Round trips of one clock measurement; the fastest counts."""
SILENT_S = 3.0
"""Wall seconds after which a worker of which nothing is heard counts as lost; healthy ones are heard twice a second."""
MASTER_LOST_S = 5.0
"""Wall seconds after which a worker that hears nothing of its master ends."""
_LARGEST = ("latency_ms", "memory_mib", "at", "wall", "monotonic", "schedule_error", "descriptors")


def proof(token: str, *parts: str | bytes) -> str:
    """Return the HMAC-SHA256 (hex) of `parts` under the token: only who knows the token can make it."""
    sealed = hmac.new(token.encode(), digestmod=hashlib.sha256)
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode()
        sealed.update(len(raw).to_bytes(8, "big") + raw)
    return sealed.hexdigest()


def proved(claim: object, token: str, *parts: str | bytes) -> bool:
    """Tell whether `claim` is the proof of `parts`; takes the same time whatever it is."""
    return isinstance(claim, str) and hmac.compare_digest(claim.encode(), proof(token, *parts).encode())


def sealed_plan(token: str, nonce: str, plan: str, files: Mapping[str, bytes]) -> str:
    """Return the proof that a plan and its files come from the master that answers `nonce`."""
    parts = [part for name, content in sorted(files.items()) for part in (name.encode(), content)]
    return proof(token, "plan", nonce, plan, *parts)


class ClockProbe:
    """Measures how far another clock is ahead of ours by round trips, one at a time.

    The other's time is taken to lie in the middle of the fastest round trip, so it is off by half of that at most
    (Cristian 1989). `now` is our clock, epoch seconds.
    """

    def __init__(self, now: Callable[[], float], rounds: int = PINGS) -> None:
        self.offset_s = math.nan
        self.uncertainty_s = math.inf
        self._now = now
        self._left = rounds
        self._asked = math.nan
        self._number = 0

    def ask(self) -> int:
        """Return the number of the next round trip, which begins now."""
        self._number += 1
        self._asked = self._now()
        return self._number

    def answer(self, number: object, theirs: float) -> bool:
        """Take the answer to `number`, theirs at `theirs`; tell whether the measurement is over.

        A late answer to an earlier number counts for nothing.
        """
        if number == self._number and not math.isnan(self._asked):
            trip_s = self._now() - self._asked
            if trip_s / 2 < self.uncertainty_s:
                self.uncertainty_s = trip_s / 2
                self.offset_s = theirs - (self._asked + trip_s / 2)
            self._asked = math.nan
            self._left -= 1
        return self._left <= 0


class SilenceTimer:
    """Measures silence in ticks of our own loop, so that a loop that was itself starved accuses nobody."""

    def __init__(self, tick_s: float, patience_s: float) -> None:
        self._tick_s = tick_s
        self._patience_s = patience_s
        self.seconds = 0.0

    def heard(self) -> None:
        """Begin again."""
        self.seconds = 0.0

    def tick(self) -> bool:
        """Count one tick; tell whether the patience is over."""
        self.seconds += self._tick_s
        return self.seconds > self._patience_s


def summed(events: Iterable[Event]) -> Event:
    """Return the figures of several traffic processes as one: totals and rates are sums, the rest is the largest.

    So `latency_ms_p99` is that of the slowest worker. What is not a number is left out.
    """
    sums: Event = {}
    for event in events:
        for name, value in event.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if name.startswith(_LARGEST) or name.endswith(("_max", "_bound")):
                sums[name] = max(sums.get(name, value), value)
            else:
                sums[name] = round(sums.get(name, 0) + value, 3)
    return sums


def named_files(plan: object) -> list[str]:
    """Return every absolute path of a file that a plan names, at any depth; `path.py:Class` names path.py."""
    if isinstance(plan, dict):
        return [name for value in plan.values() for name in named_files(value)]
    if isinstance(plan, (list, tuple)):
        return [name for value in plan for name in named_files(value)]
    if not isinstance(plan, str) or not plan.startswith("/"):
        return []
    stem, is_class, _ = plan.partition(".py:")
    name = f"{stem}.py" if is_class else plan
    return [name] if Path(name).is_file() else []
