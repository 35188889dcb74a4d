"""Follows the phases and hands out each request at its intended time, from the loop's timer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from gevent import get_hub
from gevent.event import Event

from tocsin.harness.traffic.clients.exchange import Exchange
from tocsin.harness.traffic.locust.phase_loops import ClosedPhase, OpenPhase
from tocsin.harness.traffic.locust.precise_timer import wake_up
from tocsin.harness.traffic.locust.request_outlet import Lane
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due, PhaseRequests

_TICK_S = 0.0002
"""The loop wakes at most so often for sending: what is due within one tick goes out together, which halves the cost."""


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
