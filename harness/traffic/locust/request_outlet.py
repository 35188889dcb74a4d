"""What an outlet is: it takes due requests and sends each as soon as it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tocsin.harness.traffic.clients.exchange import Exchange
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due

Lane = Callable[[Due], None]
"""Takes the due requests of one form. It never waits: what cannot be sent now is kept, or recorded as dropped."""

Ended = Callable[[Due, Exchange], None]
"""What an outlet calls, once for each request it was given."""


class RequestOutlet(Protocol):
    """A way out for requests."""

    waiting_max: int
    in_flight_max: int

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""

    @property
    def in_flight(self) -> int:
        """Requests under way."""

    def lane(self, form: Form) -> Lane:
        """Return where the requests of this form are put."""

    def drop_waiting(self) -> None:
        """Record what waits as dropped."""

    def end(self) -> None:
        """Give up what is under way, drop what waits, and close everything."""
