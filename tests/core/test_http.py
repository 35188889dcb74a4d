"""One HTTP call: what is sent, what comes back, and that every failure is an OSError."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tocsin.harness.core.http import call


class OneShot:
    """A server that answers one connection with the given bytes (None: it never answers) and keeps what it got."""

    def __init__(self, answer: bytes | None) -> None:
        self.received = b""
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            self.received = connection.recv(65536)
            while b'"end"' not in self.received and b"Content-Length" in self.received:
                self.received += connection.recv(65536)
            if self._answer is None:
                connection.recv(1)
            else:
                connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(2)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[OneShot]:
    one_shot = OneShot(request.param)
    yield one_shot
    one_shot.close()


OK = b"HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nno\xff"


@pytest.mark.parametrize("server", [OK], indirect=True)
def test_status_and_text_are_returned_whatever_the_status(server: OneShot) -> None:
    assert call("GET", server.address, "/x?y=1") == (503, "no\N{REPLACEMENT CHARACTER}")
    assert server.received.startswith(b"GET /x?y=1 HTTP/1.1\r\n")
    assert b"Content-Type" not in server.received


@pytest.mark.parametrize("server", [OK], indirect=True)
def test_a_mapping_is_sent_as_json(server: OneShot) -> None:
    call("PUT", server.address, "/x", body={"end": "end"}, headers={"X-One": "1"})
    assert server.received.endswith(b'\r\n\r\n{"end": "end"}')
    assert b"Content-Type: application/json\r\n" in server.received and b"X-One: 1\r\n" in server.received


@pytest.mark.parametrize("server", [OK], indirect=True)
def test_bytes_and_their_type_are_sent_as_they_are(server: OneShot) -> None:
    call("POST", server.address, "/x", body=b'"end"', headers={"Content-Type": "text/plain"})
    assert server.received.endswith(b'\r\n\r\n"end"') and b"Content-Type: text/plain\r\n" in server.received


@pytest.mark.parametrize(
    "server", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"], indirect=True
)
def test_an_answer_that_is_not_http_is_an_oserror(server: OneShot) -> None:
    with pytest.raises(OSError):
        call("GET", server.address, "/")


@pytest.mark.parametrize("server", [None], indirect=True)
def test_no_answer_in_time_is_an_oserror(server: OneShot) -> None:
    with pytest.raises(TimeoutError):
        call("GET", server.address, "/", within_s=0.05)


def test_nobody_there_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(OSError):
        call("GET", address, "/", within_s=0.5)
