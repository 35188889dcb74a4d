"""The pool of kept connections: the outlet for plain requests over http."""

from __future__ import annotations

import functools
import resource
import socket
from collections.abc import Callable

from gevent import get_hub

from tocsin.harness.core.errors import StackError
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.clients.request_encoder import head_of
from tocsin.harness.traffic.clients.response_check import ResponseCheck
from tocsin.harness.traffic.locust.connection import Connection, Place
from tocsin.harness.traffic.locust.request_outlet import Ended, Lane, RequestOutlet
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due

_SWEEPS_PER_TIMEOUT = 20
_SWEEP_MAX_S = 0.1
_DESCRIPTORS_KEPT = 64
_PUMPED = 64
"""Connections opened for waiting requests in one turn of the loop."""


class ConnectionPool(RequestOutlet[bytes]):
    """Gives each request to the connection that became idle last; opens another when none is idle.

    So the load stays open: a server that hangs is met by new connections, up to `users_max`, as it is by real callers;
    beyond that requests wait, which their latency shows, and beyond `queue_max` they are dropped.
    """

    def __init__(
        self,
        address: str,
        now: Callable[[], float],
        *,
        id_of: Callable[[Due], bytes],
        ended: Ended,
        timeout_s: float,
        users_max: int,
        queue_max: int,
        checks: ResponseCheck | None = None,
    ) -> None:
        super().__init__(ended, users_max=users_max, queue_max=queue_max)
        self.now = now
        self.id_of = id_of
        self.checks = checks
        self.checked_heads: set[bytes] = set()
        self._address = address
        self._place = _resolve(address)
        self._timeout_s = timeout_s
        self._idle: dict[Connection, None] = {}  # in the order in which they became idle
        self._open: set[Connection] = set()
        self._over = False
        self._pumping = False
        sweep_s = min(timeout_s / _SWEEPS_PER_TIMEOUT, _SWEEP_MAX_S)
        self._sweeper = get_hub().loop.timer(sweep_s, sweep_s)
        self._sweeper.start(self._sweep)

    @property
    def in_flight(self) -> int:
        """Requests under way, connecting included."""
        return len(self._open) - len(self._idle)

    def lane(self, form: Form) -> Lane:
        """Return where the requests of this form are put."""
        head = head_of(form, self._address)
        if self.checks and self.checks.wanted(form):
            self.checked_heads.add(head)
        return functools.partial(self._put, head)

    def _put(self, head: bytes, due: Due) -> None:
        if self._idle:
            self._idle.popitem()[0].begin(due, head)
        elif len(self._open) < self._users_max and not self._waiting:
            self.connect(due, head)
        elif len(self._waiting) < self._queue_max:
            self._waiting.append((due, head))
            self.waiting_max = max(self.waiting_max, len(self._waiting))
        else:
            self._ended(due, NEVER_SENT)

    def connect(self, due: Due, head: bytes) -> None:
        """Send a request over a new connection."""
        connection = Connection(self)
        self._open.add(connection)
        # A connection is opened only when none is idle: then all that are open are in use.
        self.in_flight_max = max(self.in_flight_max, len(self._open))
        connection.connect(self._place, due, head)

    def finished(self, connection: Connection, due: Due, exchange: Exchange, keep: bool) -> None:
        """A request has ended; the connection may carry another if `keep`."""
        self._ended(due, exchange)
        if not keep or self._over:
            self.lost(connection)
        elif self._waiting:
            connection.begin(*self._waiting.popleft())
        else:
            self._idle[connection] = None

    def lost(self, connection: Connection) -> None:
        """A connection is of no more use."""
        connection.close()
        self._open.discard(connection)
        self._idle.pop(connection, None)
        if self._waiting:
            self._pump_soon()

    def end(self) -> None:
        """Give up what is under way, drop what waits, and close everything."""
        self._over = True
        self.drop_waiting()
        self._sweeper.stop()
        self._sweeper.close()
        for connection in list(self._open):
            if connection.due is not None:
                connection.give_up()
            else:
                self.lost(connection)

    def _sweep(self) -> None:
        """Give up what has taken longer than the timeout."""
        limit = self.now() - self._timeout_s
        for connection in list(self._open):
            if connection.due is not None and connection.sent < limit:
                connection.give_up()

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            get_hub().loop.run_callback(self._pump)

    def _pump(self) -> None:
        """Open connections for what waits: in a turn of its own, so that refusals do not call each other deeply."""
        self._pumping = False
        for _ in range(_PUMPED):
            if not self._waiting or len(self._open) >= self._users_max or self._over:
                return
            self.connect(*self._waiting.popleft())
        self._pump_soon()


def _resolve(address: str) -> Place:
    """Return (family, socket address) of `host:port`; IPv4 first where a name has both."""
    host, _, port = address.rpartition(":")
    try:
        places = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise StackError(f"{address} cannot be resolved: {error}.") from None
    family, _, _, _, place = min(places, key=lambda info: info[0] != socket.AF_INET)
    return family, place


def connections_possible(wanted: int) -> tuple[int, int]:
    """Raise this process's own limit of open files as far as allowed; return (connections possible, limit)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted + _DESCRIPTORS_KEPT
    if soft != resource.RLIM_INFINITY and soft < limit:
        soft = limit
        if hard != resource.RLIM_INFINITY:
            soft = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted, -1
    return min(wanted, max(soft - _DESCRIPTORS_KEPT, 1)), soft
