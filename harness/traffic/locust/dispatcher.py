"""Plays the phases one after the other, by the clock (open loop) or by users who wait for answers (closed loop)."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from gevent import get_hub
from gevent.event import Event

from tocsin.harness.evidence.requests import ANSWERED
from tocsin.harness.traffic.clients.exchange import Exchange
from tocsin.harness.traffic.locust.precise_timer import wake_up
from tocsin.harness.traffic.locust.request_outlet import Lane
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due, PhaseRequests

_TICK_S = 0.0002
"""The loop wakes at most so often for sending: what is due within one tick goes out together, which halves the cost."""
_BATCH = 64
"""Requests handed out in one turn of the loop; answers are read in between."""
_PAUSE_S = 0.01
"""A user without think time waits so long after a request that was not answered."""


class OpenPhase:
    """Hands out each request at its intended time, whatever became of those before."""

    def __init__(self, load: PhaseRequests, lanes: Sequence[Lane]) -> None:
        self.asked = 0
        self._lanes = lanes
        self._dues = load.requests()
        self._next = next(self._dues, None)

    def play(self, elapsed_s: float) -> float | None:
        """Hand out what is due; return when the next is, seconds from the start of play, None at the end."""
        due, dues, lanes = self._next, self._dues, self._lanes
        for _ in range(_BATCH):
            if due is None or due.at_s > elapsed_s:
                break
            self.asked += 1
            lanes[due.form](due)
            due = next(dues, None)
        self._next = due
        return None if due is None else due.at_s


class ClosedPhase:
    """So many users, each of whom sends, awaits the answer, thinks, and sends again, until the end of the phase."""

    def __init__(self, load: PhaseRequests, lanes: Sequence[Lane]) -> None:
        assert load.closed
        self.asked = 0
        self._lanes = lanes
        self._dues = load.requests()
        self._end_s = load.end_s
        self._think_s = load.closed.think_s
        self._ready = [load.start_s + load.closed.first_s(user) for user in range(load.closed.users)]
        heapq.heapify(self._ready)
        self._asking: set[int] = set()

    def play(self, elapsed_s: float) -> float | None:
        """Let the users who are ready send; return when to ask again, None at the end."""
        if elapsed_s >= self._end_s:
            return None
        for _ in range(_BATCH):
            if not self._ready or self._ready[0] > elapsed_s:
                break
            due = next(self._dues, None)
            if due is None:
                return None
            due = due._replace(at_s=heapq.heappop(self._ready))
            self.asked += 1
            self._asking.add(due.index)
            self._lanes[due.form](due)
        return min([self._end_s, *self._ready[:1]])

    def ended(self, due: Due, exchange: Exchange, elapsed_s: float) -> bool:
        """Let the user think; return whether it was one of ours."""
        if due.index not in self._asking:
            return False
        self._asking.discard(due.index)
        think_s = self._think_s if exchange.outcome == ANSWERED else max(self._think_s, _PAUSE_S)
        heapq.heappush(self._ready, elapsed_s + think_s)
        return True


class Dispatcher:
    """Plays phases one after the other. `now` gives epoch seconds; `over` is set when all has been handed out."""

    def __init__(
        self,
        phases: Iterable[PhaseRequests],
        lanes_of: Callable[[Sequence[Form]], list[Lane]],
        now: Callable[[], float],
    ) -> None:
        self.over = Event()
        self._asked = 0
        self._now = now
        self._to_monotonic_s = time.monotonic() - now()
        self._start = 0.0
        self._phases: Iterator[PhaseRequests] = iter(phases)
        self._lanes_of = lanes_of
        self._phase: OpenPhase | ClosedPhase | None = None
        self._soon = False
        self._over = False
        self._timer = wake_up(self._tick)

    @property
    def asked(self) -> int:
        """Requests handed out so far."""
        return self._asked + (self._phase.asked if self._phase else 0)

    def play(self, start: float) -> None:
        """Begin: the first phase counts from `start`, epoch seconds."""
        self._start = start
        self._next_phase()
        self._arm(start)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._over = True
        self._timer.disarm()
        self.over.set()

    def close(self) -> None:
        """Give the timer back."""
        self._timer.close()

    def ended(self, due: Due, exchange: Exchange) -> None:
        """A request has ended, which in a closed loop lets its user go on."""
        phase = self._phase
        if isinstance(phase, ClosedPhase) and phase.ended(due, exchange, self._now() - self._start):
            self._tick_soon()

    def _tick_soon(self) -> None:
        """Tick once in the next turn of the loop, for all users whose answers came in this one."""
        if not self._soon:
            self._soon = True
            get_hub().loop.run_callback(self._tick)

    def _next_phase(self) -> None:
        self._asked = self.asked
        load = next(self._phases, None)
        if load is None:
            self._phase = None
        elif load.closed:
            self._phase = ClosedPhase(load, self._lanes_of(load.forms))
        else:
            self._phase = OpenPhase(load, self._lanes_of(load.forms))

    def _tick(self) -> None:
        self._soon = False
        now = self._now()
        while self._phase and not self._over:
            next_s = self._phase.play(now - self._start)
            if next_s is not None:
                self._arm(max(self._start + next_s, now + _TICK_S))
                return
            self._next_phase()
        self.over.set()

    def _arm(self, at: float) -> None:
        self._timer.arm(at + self._to_monotonic_s)
