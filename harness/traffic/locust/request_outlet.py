"""What an outlet is: it takes due requests and sends each as soon as it can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

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
