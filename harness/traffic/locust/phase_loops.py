"""Plays a phase: by the clock (open loop), or by users who wait for answers (closed loop)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from tocsin.harness.evidence.requests import ANSWERED
from tocsin.harness.traffic.clients.exchange import Exchange
from tocsin.harness.traffic.locust.request_outlet import Lane
from tocsin.harness.traffic.request_schedule import Due, PhaseRequests

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

    def ended(self, due: Due, exchange: Exchange, elapsed_s: float) -> bool:
        """Nothing waits for an answer."""
        return False


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
