"""The queue between due requests and idle users: the outlet for everything that blocks."""

from __future__ import annotations

import functools
from collections.abc import Callable

from gevent.event import AsyncResult

from tocsin.harness.traffic.clients.exchange import NEVER_SENT
from tocsin.harness.traffic.locust.request_outlet import Ended, Lane, RequestOutlet
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due


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
