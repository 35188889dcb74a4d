"""A keep-alive HTTP/1.1 client for POST: one connection, one request at a time, and never a silent second attempt.

It uses plain sockets, so it serves threads, and greenlets where the sockets are patched. A client that tries again by
itself would make one record of two requests served; here each request is sent at most once, and the outcome says what
is certain. A connection that the server has closed meanwhile is noticed before the request is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
from collections.abc import Callable
from typing import NamedTuple

import httptools

from harness.evidence.requests import ANSWERED, DROPPED, FAILED, UNKNOWN


class Exchange(NamedTuple):
    """What became of one request: place in OUTCOMES, HTTP status (0: none), and epoch seconds as in RECORD."""

    outcome: int
    status: int
    sent: float
    first_byte: float
    done: float


class KeepAlive:
    """Sends to one path of `address` (`host:port`). `timeout_s` bounds a request as a whole, connecting included."""

    def __init__(self, address: str, path: str, now: Callable[[], float], timeout_s: float) -> None:
        host, _, port = address.rpartition(":")
        self._where = (host, int(port))
        self._now = now
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._head = f"POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n"

    def send(self, request_id: str, body: bytes) -> Exchange:
        """Send one request and read the answer. Nothing is raised for what a server or the network may do."""
        sent = self._now()
        deadline = sent + self._timeout_s
        try:
            connection = self._connected()
        except (ConnectionError, TimeoutError):
            return Exchange(FAILED, 0, sent, math.nan, self._now())
        except OSError:  # our own limit: no descriptor or no port was left
            return Exchange(DROPPED, 0, math.nan, math.nan, math.nan)
        answer = _Answer()
        try:
            # A server may refuse a large body and hang up before it has read it: the answer may be there all the same.
            with contextlib.suppress(ConnectionError):
                connection.settimeout(max(deadline - self._now(), 0.001))
                connection.sendall(self._request(request_id, body))
            self._receive(connection, answer, deadline)
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()
            return Exchange(UNKNOWN, 0, sent, answer.first_byte, self._now())
        except BaseException:  # a killed greenlet: what comes later on this connection belongs to nobody
            self.close()
            raise
        if answer.closes:
            self.close()
        return Exchange(ANSWERED, answer.status, sent, answer.first_byte, self._now())

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

    def _connected(self) -> socket.socket:
        if self._socket and not _idle(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(self._where, timeout=self._timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _request(self, request_id: str, body: bytes) -> bytes:
        # Trace and span ids follow from the request id: unique with it, the same at every run of the same id.
        trace = hashlib.blake2b(request_id.encode(), digest_size=24).hexdigest()
        head = (
            f"{self._head}x-request-id: {request_id}\r\ntraceparent: 00-{trace[:32]}-{trace[32:]}-01\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _receive(self, connection: socket.socket, answer: _Answer, deadline: float) -> None:
        parser = httptools.HttpResponseParser(answer)
        while not answer.complete:
            left_s = deadline - self._now()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            got = connection.recv(65536)
            if not got:
                if answer.ends_with_connection:
                    answer.closes = True
                    return
                raise ConnectionResetError
            if math.isnan(answer.first_byte):
                answer.first_byte = self._now()
            answer.feed(parser, got)


class _Answer:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.first_byte = math.nan
        self.status = 0
        self.complete = False
        self.closes = False
        self._headers_complete = False
        self._has_length = False

    @property
    def ends_with_connection(self) -> bool:
        """The headers declared no length, so that the end of the connection is the end of the body."""
        return self._headers_complete and not self._has_length

    def feed(self, parser: httptools.HttpResponseParser, got: bytes) -> None:
        parser.feed_data(got)
        if self._headers_complete:
            self.status = parser.get_status_code()
            self.closes = self.closes or parser.get_http_version() == "1.0"

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._has_length = True
        elif name == b"connection" and value.lower() == b"close":
            self.closes = True

    def on_headers_complete(self) -> None:
        self._headers_complete = True

    def on_message_complete(self) -> None:
        self.complete = True


def _idle(connection: socket.socket) -> bool:
    """Tell whether a kept connection may be used: open, and nothing unread on it."""
    connection.settimeout(0.0)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
