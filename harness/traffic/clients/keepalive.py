"""A keep-alive HTTP/1.1 client: one connection, one request at a time, and never a silent second attempt.

It uses plain sockets, so it serves threads, and greenlets where the sockets are patched. A client that tries again by
itself would make one record of two requests served; here each request is sent at most once, and the outcome says what
is certain. A connection that the server has closed meanwhile is noticed before the request is sent.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
import time
from collections.abc import Callable

from tocsin.harness.evidence.requests import ANSWERED, FAILED, UNKNOWN
from tocsin.harness.traffic.clients.exchange import NEVER_SENT, Exchange
from tocsin.harness.traffic.clients.request_encoder import encode, head_of
from tocsin.harness.traffic.clients.response_reader import InvalidResponse, ResponseReader
from tocsin.harness.traffic.payloads.request_protocol import Form

_PIECES = 5
"""Parts of a slow body."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset."""


class KeepAlive:
    """Sends to `address` (`host:port`), over TLS if given. `timeout_s` bounds a request as a whole, connecting too.

    `form.manner` says how: see payloads.request_protocol. A slow body's `slow_s` counts towards the timeout.
    """

    def __init__(
        self,
        address: str,
        now: Callable[[], float],
        timeout_s: float,
        tls: ssl.SSLContext | None = None,
        answers: Callable[[], ResponseReader] = ResponseReader,
    ) -> None:
        host, _, port = address.rpartition(":")
        self._where = (host.strip("[]"), int(port))
        self._address = address
        self._now = now
        self._timeout_s = timeout_s
        self._tls = tls
        self._socket: socket.socket | None = None
        self._new_answers = answers
        self._answers = answers()
        self._heads: dict[Form, bytes] = {}
        self._first_byte = math.nan

    def send(self, request_id: str, form: Form, body: bytes) -> Exchange:
        """Send one request and read the answer. Nothing is raised for what a server or the network may do."""
        sent = self._now()
        deadline = sent + self._timeout_s
        try:
            connection = self._connected()
        except (ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror):
            return Exchange(FAILED, 0, sent, math.nan, self._now())
        except OSError:  # our own limit: no descriptor or no port was left
            return NEVER_SENT
        self._answers.begin(form.method)
        self._first_byte = math.nan
        request = encode(self._head(form), request_id.encode(), body)
        try:
            # A server may refuse a large body and hang up before it has read it: the answer may be there all the same.
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                self._write(connection, form, request, len(body), deadline)
            answered = form.manner != "abort" and self._read_answer(connection, deadline)
        except (OSError, InvalidResponse):
            answered = False
        except BaseException:  # a killed greenlet: what comes later on this connection belongs to nobody
            self.close()
            raise
        if form.manner == "abort":
            self._reset()
        elif not answered or not self._answers.keep or form.manner == "truncated":
            self.close()
        outcome, status = (ANSWERED, self._answers.status) if answered else (UNKNOWN, 0)
        return Exchange(outcome, status, sent, self._first_byte, self._now())

    @property
    def body(self) -> bytes:
        """The body of the last answer, if `answers` keeps bodies."""
        return bytes(getattr(self._answers, "body", b""))

    def abort(self) -> None:
        """End the request another thread waits for; its outcome becomes unknown."""
        connection = self._socket
        if connection:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _head(self, form: Form) -> bytes:
        head = self._heads.get(form)
        if head is None:
            head = self._heads[form] = head_of(form, self._address)
        return head

    def _connected(self) -> socket.socket:
        if self._socket and not _idle(self._socket):
            self.close()
        if self._socket is None:
            plain = socket.create_connection(self._where, timeout=self._timeout_s)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._tls.wrap_socket(plain, server_hostname=self._where[0]) if self._tls else plain
            self._answers = self._new_answers()
        return self._socket

    def _write(self, connection: socket.socket, form: Form, request: bytes, body_bytes: int, deadline: float) -> None:
        """Send the request in the manner of its form."""
        connection.settimeout(max(deadline - self._now(), 0.001))
        if form.manner == "plain":
            connection.sendall(request)
        elif form.manner == "slow_body":
            self._write_slowly(connection, form.slow_s, request, len(request) - body_bytes, deadline)
        else:
            connection.sendall(request[: len(request) - body_bytes + body_bytes // 2])
            if form.manner == "truncated":
                connection.shutdown(socket.SHUT_WR)

    def _write_slowly(
        self, connection: socket.socket, slow_s: float, request: bytes, head_bytes: int, deadline: float
    ) -> None:
        began = self._now()
        connection.sendall(request[:head_bytes])
        size = max(math.ceil((len(request) - head_bytes) / _PIECES), 1)
        for piece, start in enumerate(range(head_bytes, len(request), size), start=1):
            time.sleep(max(min(began + slow_s * piece / _PIECES, deadline) - self._now(), 0.0))
            left_s = deadline - self._now()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            connection.sendall(request[start : start + size])

    def _read_answer(self, connection: socket.socket, deadline: float) -> bool:
        """Read until the answer is whole; False if the connection ends before."""
        while True:
            got = self._receive(connection, deadline)
            if not got:
                return self._answers.ended()
            if math.isnan(self._first_byte):
                self._first_byte = self._now()
            if self._answers.feed(got):
                return True

    def _reset(self) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def _receive(self, connection: socket.socket, deadline: float) -> bytes:
        left_s = deadline - self._now()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        return connection.recv(65536)


def _idle(connection: socket.socket) -> bool:
    """Tell whether a kept connection may be used: open, and nothing unread on it."""
    connection.settimeout(0.0)
    try:
        connection.recv(1, 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_PEEK)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False
