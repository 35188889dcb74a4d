"""One connection of the pool, driven by the loop's callbacks, so that no greenlet is switched for a request."""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Callable, Container
from typing import Any, Protocol

from gevent import get_hub
from gevent.monkey import get_original

from tocsin.harness.evidence.requests import ANSWERED, FAILED, UNKNOWN
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.clients.request_encoder import encode
from tocsin.harness.traffic.clients.response_check import ResponseCheck
from tocsin.harness.traffic.clients.response_reader import BodyReader, InvalidResponse, ResponseReader
from tocsin.harness.traffic.request_schedule import Due

_Socket = get_original("socket", "socket")
"""Locust patches the sockets to wait in greenlets; here nothing waits."""

Place = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""An address family, and a socket address of it."""
_READABLE, _WRITABLE = 1, 2
_READ_BYTES = 65536
_READ_FIRST = 2
"""Priority of reading: an answer, or the end of a kept connection, is seen before more is sent."""
_LOCAL_ERRORS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
"""A connection could not be opened for want of something on this side."""


class ConnectionOwner(Protocol):
    """What a connection needs of its pool."""

    now: Callable[[], float]
    id_of: Callable[[Due], bytes]
    checks: ResponseCheck | None

    @property
    def checked_heads(self) -> Container[bytes]: ...  # noqa: D102
    def connect(self, due: Due, head: bytes) -> None: ...  # noqa: D102
    def finished(self, connection: Connection, due: Due, exchange: Exchange, keep: bool) -> None: ...  # noqa: D102
    def lost(self, connection: Connection) -> None: ...  # noqa: D102


class Connection:
    """Carries one request at a time. `due` is the one under way, None when idle; `sent` is when it was begun."""

    __slots__ = (
        "due",
        "sent",
        "_answers",
        "_first_byte",
        "_fresh",
        "_head",
        "_pool",
        "_reading",
        "_recv",
        "_rest",
        "_send",
        "_socket",
        "_writing",
    )

    def __init__(self, pool: ConnectionOwner) -> None:
        self._pool = pool
        self._answers = BodyReader() if pool.checks else ResponseReader()
        self._rest: memoryview | None = None
        self._fresh = True
        self._reading: Any = None
        self._writing: Any = None
        self._socket: socket.socket | None = None
        self._first_byte = math.nan

    def connect(self, place: Place, due: Due, head: bytes) -> None:
        """Open the connection to (family, address) and send the request when it is open."""
        self.due: Due | None = due
        self._head = head
        self.sent = self._pool.now()
        try:
            self._socket = _Socket(place[0], socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self._finish(NEVER_SENT)
            return
        self._opened(self._socket.connect_ex(place[1]))

    def begin(self, due: Due, head: bytes) -> None:
        """Send a request over the open connection."""
        self.due = due
        self._head = head
        self.sent = self._pool.now()
        self._first_byte = math.nan
        self._answers.begin()
        self._write()

    def give_up(self) -> None:
        """End what is under way: failed if there is no connection yet, else unknown."""
        self._finish(self._exchange(FAILED if self._reading is None else UNKNOWN))

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        for watcher in (self._reading, self._writing):
            if watcher:
                watcher.stop()
                watcher.close()
        self._reading = self._writing = None
        if self._socket:
            self._socket.close()
            self._socket = None

    def _opened(self, code: int) -> None:
        assert self._socket
        if code in (errno.EINPROGRESS, errno.EALREADY):
            self._watch_writing(self._on_connected)
        elif code:
            self._finish(NEVER_SENT if code in _LOCAL_ERRORS else self._exchange(FAILED))
        else:
            self._recv, self._send = self._socket.recv, self._socket.send
            self._reading = get_hub().loop.io(self._socket.fileno(), _READABLE, priority=_READ_FIRST)
            self._reading.start(self._on_readable)
            self._answers.begin()
            self._write()

    def _on_connected(self) -> None:
        self._stop_writing()
        assert self._socket
        self._opened(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _write(self) -> None:
        assert self.due is not None
        request = encode(self._head, self._pool.id_of(self.due), self.due.body)
        try:
            count = self._send(request)
        except BlockingIOError:
            count = 0
        except OSError:
            self._not_sent()
            return
        if count < len(request):
            self._rest = memoryview(request)[count:]
            self._watch_writing(self._on_writable)

    def _not_sent(self) -> None:
        """No byte of the request left this machine, so it is certainly not served.

        Over a connection that was kept this says that the server has closed it: the request goes over a new one.
        """
        due = self.due
        if self._fresh or due is None:
            self._finish(self._exchange(FAILED))
            return
        self.due = None
        self._pool.lost(self)
        self._pool.connect(due, self._head)

    def _on_writable(self) -> None:
        assert self._rest is not None
        try:
            self._rest = self._rest[self._send(self._rest) :]
        except BlockingIOError:
            return
        except OSError:  # a server may refuse a large body before it has read it: the answer may be there all the same
            self._stop_writing()
            return
        if not self._rest:
            self._rest = None
            self._stop_writing()

    def _on_readable(self) -> None:
        try:
            got = self._recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            got = None
        if self.due is None:  # closed by the server, or it speaks without being asked
            self._pool.lost(self)
            return
        try:
            if got:
                if self._first_byte != self._first_byte:
                    self._first_byte = self._pool.now()
                complete = self._answers.feed(got)
            else:
                complete = got is not None and self._answers.ended()
        except InvalidResponse:
            complete, got = False, None
        if complete:
            exchange = self._exchange(ANSWERED, self._answers.status)
            if self._pool.checks:
                self._check(exchange.status, self._pool.checks)
            self._finish(exchange)
        elif not got:
            self._finish(self._exchange(UNKNOWN))

    def _check(self, status: int, checking: ResponseCheck) -> None:
        answers, due = self._answers, self.due
        if status == 200 and due and isinstance(answers, BodyReader) and self._head in self._pool.checked_heads:
            checking.look(self._pool.id_of(due), due.kind, answers.body)
            answers.body = b""  # two thousand connections may hold one each

    def _exchange(self, outcome: int, status: int = 0) -> Exchange:
        return Exchange(outcome, status, self.sent, self._first_byte, self._pool.now())

    def _finish(self, exchange: Exchange) -> None:
        due, self.due = self.due, None
        assert due is not None
        self._fresh = False
        keep = exchange[0] == ANSWERED and self._answers.keep and self._rest is None
        self._pool.finished(self, due, exchange, keep)

    def _watch_writing(self, call: Callable[[], None]) -> None:
        assert self._socket
        self._writing = get_hub().loop.io(self._socket.fileno(), _WRITABLE)
        self._writing.start(call)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing.stop()
            self._writing.close()
            self._writing = None
