"""Servers that behave badly, each in a few lines, and what becomes of three requests to them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
ANSWERED, UNKNOWN = ("answered", 200), ("unknown", 0)


class Line:
    """One connection as such a server sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")

    def request(self) -> bool:
        """Read one request; False if the client has closed."""
        if not self._stream.readline():
            return False
        head = dict(line.decode().rstrip().split(": ", 1) for line in iter(self._stream.readline, b"\r\n"))
        self._stream.read(int(head["content-length"]))
        return True

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._connection.sendall(piece)

    def await_close(self) -> None:
        self._stream.read()

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass(frozen=True)
class Hostile:
    """`serve` gets each connection, which is closed when it returns. `closes`: also after a good answer."""

    name: str
    serve: Callable[[Line], object]
    becomes: tuple[tuple[str, int], ...] = (ANSWERED,) * 3
    connections: int = 1
    closes: bool = False
    requests: int = 3


def answering(*pieces: bytes, closes: bool = False) -> Callable[[Line], object]:
    """Return a server that answers every request with these pieces, one packet each."""

    def serve(line: Line) -> None:
        while line.request():
            line.say(*pieces)
            if closes:
                return

    return serve


def _one_then_close(line: Line) -> None:
    line.request()
    line.say(OK)
    line.request()


def _answer_then_hang(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}")
    line.await_close()


def _reset_in_answer(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}")
    line.reset()


def _bytes(answer: bytes) -> tuple[bytes, ...]:
    return tuple(answer[at : at + 1] for at in range(len(answer)))


_HEAD = b"HTTP/1.1 200 OK\r\n"
_CUT = _HEAD + b"content-length: 20\r\n\r\n{}"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
_NEW_EACH = {"connections": 3, "closes": True}
_LOST_EACH = {"becomes": (UNKNOWN,) * 3, **_NEW_EACH}

ALL = (
    Hostile("closes before the request", lambda line: None, **_LOST_EACH),
    Hostile("closes after the request", lambda line: line.request(), **_LOST_EACH),
    Hostile("closes after each answer", answering(OK, closes=True), **_NEW_EACH),
    Hostile("closes on the second request", _one_then_close, (ANSWERED, UNKNOWN, ANSWERED), connections=2),
    Hostile("says that it closes", answering(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")), connections=3),
    Hostile("garbage", answering(b"\x00\xff garbage\r\n\r\n"), **_LOST_EACH),
    Hostile("another protocol", answering(b"SSH-2.0-OpenSSH_9.2\r\n"), **_LOST_EACH),
    Hostile("chunked", answering(_CHUNKED, b"2\r\n{}\r\n", b"0\r\n\r\n")),
    Hostile("chunked, cut off", answering(_CHUNKED + b"2\r\n{}\r\n", closes=True), **_LOST_EACH),
    Hostile("chunked, wrong size", answering(_CHUNKED + b"zz\r\n{}\r\n"), **_LOST_EACH),
    Hostile("one byte at a time", answering(*_bytes(OK))),
    Hostile("one byte at a time, chunked", answering(*_bytes(_CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"))),
    Hostile("100 continue first", answering(b"HTTP/1.1 100 Continue\r\n\r\n", OK)),
    Hostile("100 continue in one packet", answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)),
    Hostile("100 continue and no more", answering(b"HTTP/1.1 100 Continue\r\n\r\n", closes=True), **_LOST_EACH),
    Hostile(
        "early hints, then no length",
        answering(b"HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n", _HEAD + b"\r\n{}", closes=True),
        **_NEW_EACH,
    ),
    Hostile("length too long", answering(_CUT, closes=True), **_LOST_EACH),
    Hostile("length too long, and hangs", _answer_then_hang, (UNKNOWN,), requests=1),
    Hostile("length too short", answering(_HEAD + b"content-length: 2\r\n\r\n{} and more"), **_NEW_EACH),
    Hostile("length is no number", answering(_HEAD + b"content-length: two\r\n\r\n{}"), **_LOST_EACH),
    Hostile("two answers to one request", answering(OK + OK), **_NEW_EACH),
    Hostile("never answers", lambda line: line.await_close(), (UNKNOWN,), requests=1),
    Hostile("huge headers", answering(_HEAD + b"x-long: " + b"x" * 200_000 + b"\r\ncontent-length: 2\r\n\r\n{}")),
    Hostile("endless headers", answering(_HEAD, *[b"x-more: " + b"x" * 65_000 + b"\r\n"] * 20), **_LOST_EACH),
    Hostile("no length", answering(_HEAD + b"\r\n{}", closes=True), **_NEW_EACH),
    Hostile("HTTP/1.0", answering(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", closes=True), **_NEW_EACH),
    Hostile("HTTP/1.0 without a length", answering(b"HTTP/1.0 200 OK\r\n\r\n{}", closes=True), **_NEW_EACH),
    Hostile(
        "HTTP/1.0, cut off", answering(b"HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\n{}", closes=True), **_LOST_EACH
    ),
    Hostile("no content", answering(b"HTTP/1.1 204 No Content\r\n\r\n"), (("answered", 204),) * 3),
    Hostile(
        "switches protocols",
        answering(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        **_LOST_EACH,
    ),
    Hostile("resets in mid-answer", _reset_in_answer, **_LOST_EACH),
    Hostile(
        "answers 503 and closes",
        answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", closes=True),
        (("answered", 503),) * 3,
        **_NEW_EACH,
    ),
)


@dataclass
class Server:
    """Runs one of them in threads; `connections` counts those that came."""

    hostile: Hostile
    connections: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            line = Line(connection)
            self.hostile.serve(line)
            line._stream.close()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
