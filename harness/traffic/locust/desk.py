"""Where due requests wait for a user and idle users wait for a request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from gevent.event import AsyncResult

from harness.traffic.schedule import Due


class Desk:
    """Gives each request to the user that became idle last; asks for one more user when none is idle.

    So the load stays open: a server that hangs is met by new connections, up to `users_max`, as it is by real callers;
    beyond that requests wait, which their latency shows, and beyond `queue_max` they are dropped.
    """

    def __init__(self, hire: Callable[[], None], *, users: int, users_max: int, queue_max: int) -> None:
        self._hire = hire
        self._users = users
        self._users_max = users_max
        self._queue_max = queue_max
        self._idle: list[AsyncResult] = []
        self._waiting: deque[tuple[int, Due]] = deque()

    def put(self, seq: int, due: Due) -> bool:
        """Hand over a request; False if the queue is full."""
        if self._idle:
            self._idle.pop().set((seq, due))
            return True
        if len(self._waiting) >= self._queue_max:
            return False
        self._waiting.append((seq, due))
        if self._users < self._users_max:
            self._users += 1
            self._hire()
        return True

    def take(self) -> tuple[int, Due]:
        """Wait for a request (in a user's greenlet)."""
        if self._waiting:
            return self._waiting.popleft()
        seat = AsyncResult()
        self._idle.append(seat)
        taken: tuple[int, Due] = seat.get()
        return taken

    def clear(self) -> Iterator[tuple[int, Due]]:
        """Yield what still waits, and forget it."""
        while self._waiting:
            yield self._waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)
