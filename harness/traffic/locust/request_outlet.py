"""What an outlet is, and the one for all that blocks: it takes due requests and sends each as soon as it can."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from gevent.event import AsyncResult

from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due

Lane = Callable[[Due], None]
"""Takes the due requests of one form. It never waits: what cannot be sent now is kept, or recorded as dropped."""

Ended = Callable[[Due, Exchange], None]
"""What an outlet calls, once for each request it was given."""

Encoded = TypeVar("Encoded")


class RequestOutlet(ABC, Generic[Encoded]):
    """A way out for requests. Each waits with what its lane knows of its form: the form itself, or its encoded head.

    At most `users_max` requests are under way; at most `queue_max` wait, further ones are dropped.
    """

    def __init__(self, ended: Ended, *, users_max: int, queue_max: int) -> None:
        self.waiting_max = 0
        self.in_flight_max = 0
        self._ended = ended
        self._users_max = users_max
        self._queue_max = queue_max
        self._waiting: deque[tuple[Due, Encoded]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection or a user."""
        return len(self._waiting)

    @abstractmethod
    def lane(self, form: Form) -> Lane:
        """Return where the requests of this form are put."""

    def drop_waiting(self) -> None:
        """Record what waits as dropped."""
        while self._waiting:
            self._ended(self._waiting.popleft()[0], NEVER_SENT)

    def end(self) -> None:
        """Give up what is under way, drop what waits, and close everything."""
        self.drop_waiting()


class RequestQueue(RequestOutlet[Form]):
    """Gives each request to the user that became idle last; asks for one more user when none is idle.

    A user is a greenlet with a client of its own: `take`, send, `done`. At the end Locust kills the users, which ends
    what is under way.
    """

    def __init__(self, spawn: Callable[[int], None], ended: Ended, *, users_max: int, queue_max: int) -> None:
        super().__init__(ended, users_max=users_max, queue_max=queue_max)
        self.in_flight = 0
        self._spawn = spawn
        self._users = 0
        self._idle: list[AsyncResult] = []

    def lane(self, form: Form) -> Lane:
        """Return where the requests of this form are put."""
        return functools.partial(self._put, form)

    def add_users(self, users: int) -> None:
        """Start so many users before they are needed."""
        users = min(users, self._users_max - self._users)
        self._users += users
        self._spawn(users)

    def _put(self, form: Form, due: Due) -> None:
        if self._idle:
            self._idle.pop().set((due, form))
        elif len(self._waiting) >= self._queue_max:
            self._ended(due, NEVER_SENT)
        else:
            self._waiting.append((due, form))
            if self._users < self._users_max:
                self.add_users(1)
            else:
                self.waiting_max = max(self.waiting_max, len(self._waiting))

    def take(self) -> tuple[Due, Form]:
        """Wait for a request (in a user's greenlet); it is under way until `done`."""
        if self._waiting:
            taken = self._waiting.popleft()
        else:
            handover = AsyncResult()
            self._idle.append(handover)
            taken = handover.get()
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        return taken

    def done(self) -> None:
        """A user has ended the request it took."""
        self.in_flight -= 1
