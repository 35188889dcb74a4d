"""A stub service in threads, and a small sample, for everything that sends."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
FEATURES = ("f1", "f2", "f3")
SHAPE = {"path": "/predict", "body": '{"features": $row}', "features": FEATURES, "integers": True}
HANG = b"hang"
CLOSE = b""


@dataclass
class Request:
    """One request as the stub received it."""

    head: dict[str, str]
    first_line: str
    body: bytes
    connection: int


@dataclass
class StubServer:
    """Answers each request with what `answer(nth)` returns: bytes, CLOSE (hang up at once) or HANG (until the end)."""

    answer: Callable[[int], bytes]
    hang_up_after_answer: bool = False
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.hung_up = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                number = len(self._connections)
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while first_line := stream.readline():
                lines = (line.decode().rstrip().split(": ", 1) for line in iter(stream.readline, b"\r\n"))
                head = {name.lower(): value for name, value in lines}
                body = stream.read(int(head["content-length"]))
                with self._lock:
                    self.requests.append(Request(head, first_line.decode().rstrip(), body, number))
                    answer = self.answer(len(self.requests))
                if answer == HANG:
                    self._over.wait(30)
                if answer in (HANG, CLOSE):
                    return
                connection.sendall(answer)
                if self.hang_up_after_answer:
                    connection.shutdown(socket.SHUT_RDWR)
                    self.hung_up.set()
                    return

    def close(self) -> None:
        self._over.set()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def serve() -> Iterator[Callable[..., StubServer]]:
    servers: list[StubServer] = []

    def start(answer: bytes | Callable[[int], bytes] = OK, **more) -> StubServer:
        servers.append(StubServer(answer if callable(answer) else lambda nth: answer, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address that refuses connections and is taken by nobody meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def sample_file(tmp_path):
    rng = np.random.default_rng(3)
    scale = [13.0, 98.0, 9.0]
    reference = np.rint(rng.normal(50, scale, (4000, 3))).astype(np.int16)
    live = np.rint(rng.normal(50, scale, (3000, 3))).astype(np.int16)
    path = tmp_path / "sample.npz"
    np.savez(path, reference=reference, live=live, live_labels=np.zeros(3000))
    return path


@pytest.fixture
def plan(tmp_path, sample_file):
    """What both plan files share; add `address` and the rest."""
    return {
        "run_id": "drill-1",
        "records": str(tmp_path / "requests"),
        "sample": str(sample_file),
        "payload": SHAPE,
        "timeout_s": 2,
    }


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen]]:
    """LiveStack.spawn without a stack; what a test leaves running is killed."""
    started: list[subprocess.Popen] = []

    def start(argv, *, name: str, env=None, **popen) -> subprocess.Popen:
        started.append(subprocess.Popen(argv, env={**os.environ, **(env or {})}, **popen))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(OSError):
                pipe.close()
