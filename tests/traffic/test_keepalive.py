import re
import socket
import threading
import time

import pytest

from harness.evidence.requests import ANSWERED, DROPPED, FAILED, OUTCOMES, UNKNOWN
from harness.traffic.clients.keepalive import KeepAlive

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HANG, CLOSE = b"hang", b""


def client(address: str, timeout_s: float = 5) -> KeepAlive:
    return KeepAlive(address, "/predict", time.monotonic, timeout_s)


@pytest.mark.parametrize(
    "answer, outcome, status",
    [
        (OK, ANSWERED, 200),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", ANSWERED, 500),
        (b"HTTP/1.1 413 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", ANSWERED, 413),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ANSWERED, 200),
        (CLOSE, UNKNOWN, 0),
        (b"no HTTP at all\r\n\r\n", UNKNOWN, 0),
    ],
)
def test_what_the_server_does_becomes_an_outcome(serve, answer, outcome, status):
    exchange = client(serve(answer).address).send("run-1-0", b"{}")
    assert (OUTCOMES[exchange.outcome], exchange.status) == (OUTCOMES[outcome], status)


@pytest.mark.parametrize(
    "answer, outcome",
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}", UNKNOWN),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", UNKNOWN),
        (b"HTTP/1.1 200 O", UNKNOWN),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", ANSWERED),
    ],
)
def test_an_answer_cut_off_is_unknown_unless_it_ends_with_the_connection(serve, answer, outcome):
    server = serve(answer, hang_up_after_answer=True)
    assert client(server.address).send("run-1-0", b"{}").outcome == outcome


def test_a_refused_connection_is_failed(refusing):
    exchange = client(refusing).send("run-1-0", b"{}")
    assert exchange.outcome == FAILED and exchange.sent <= exchange.done and exchange.status == 0


def test_a_server_that_hangs_is_unknown_after_the_timeout(serve):
    exchange = client(serve(HANG).address, timeout_s=0.2).send("run-1-0", b"{}")
    assert exchange.outcome == UNKNOWN
    assert 0.2 <= exchange.done - exchange.sent < 2


def test_a_drip_of_bytes_does_not_extend_the_timeout(serve):
    slow = threading.Event()

    def drip(nth: int) -> bytes:
        slow.wait(0.5)
        return b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"

    exchange = client(serve(drip).address, timeout_s=0.7).send("run-1-0", b"{}")
    assert exchange.outcome == UNKNOWN and exchange.first_byte > exchange.sent
    assert exchange.done - exchange.sent < 1.1


def test_no_descriptor_left_is_dropped_not_failed(serve, monkeypatch):
    def exhausted(*args, **more):
        raise OSError(24, "Too many open files")

    address = serve().address
    monkeypatch.setattr(socket, "create_connection", exhausted)
    assert client(address).send("run-1-0", b"{}").outcome == DROPPED


def test_a_connection_is_kept(serve):
    server, sender = serve(), None
    sender = client(server.address)
    for seq in range(5):
        assert sender.send(f"run-1-{seq}", b"{}").status == 200
    assert [request.connection for request in server.requests] == [1] * 5


def test_a_connection_the_server_closed_meanwhile_is_replaced_before_the_request_is_sent(serve):
    server = serve(hang_up_after_answer=True)
    sender = client(server.address)
    for seq in range(3):
        assert sender.send(f"run-1-{seq}", b"{}").outcome == ANSWERED
        assert server.hung_up.wait(5)
        server.hung_up.clear()
    assert [request.connection for request in server.requests] == [1, 2, 3]


def test_a_request_is_never_sent_twice(serve):
    server = serve(lambda nth: OK if nth == 1 else CLOSE)
    sender = client(server.address)
    assert [sender.send(f"run-1-{seq}", b"{}").outcome for seq in range(2)] == [ANSWERED, UNKNOWN]
    assert [request.head["x-request-id"] for request in server.requests] == ["run-1-0", "run-1-1"]


def test_after_an_unknown_outcome_the_next_request_has_a_connection_of_its_own(serve):
    server = serve(lambda nth: HANG if nth == 1 else OK)
    sender = client(server.address, timeout_s=0.2)
    assert sender.send("run-1-0", b"{}").outcome == UNKNOWN
    assert sender.send("run-1-1", b"{}").outcome == ANSWERED


def test_the_request_as_received(serve):
    server = serve()
    client(server.address).send("run-1-7", b'{"features": [1]}')
    [request] = server.requests
    assert request.first_line == "POST /predict HTTP/1.1"
    assert request.body == b'{"features": [1]}'
    assert request.head["content-type"] == "application/json"
    assert request.head["host"] == server.address
    assert request.head["x-request-id"] == "run-1-7"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", request.head["traceparent"])


def test_traces_differ_between_requests(serve):
    server = serve()
    for seq in range(3):
        client(server.address).send(f"run-1-{seq}", b"{}")
    assert len({request.head["traceparent"] for request in server.requests}) == 3


def test_an_early_refusal_of_a_large_body_is_an_answer():
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(refusal)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        threading.Thread(target=refuse, daemon=True).start()
        exchange = client(f"127.0.0.1:{listener.getsockname()[1]}").send("run-1-0", b" " * 66_000)
    assert (exchange.outcome, exchange.status) == (ANSWERED, 413)


def test_a_hang_up_during_the_body_does_not_hide_the_answer(monkeypatch):
    class HangsUp:
        def sendall(self, request: bytes) -> None:
            raise BrokenPipeError

        def recv(self, count: int) -> bytes:
            return b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

        def settimeout(self, seconds: float) -> None: ...
        def setsockopt(self, *option: int) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr(socket, "create_connection", lambda *where, **more: HangsUp())
    exchange = client("127.0.0.1:1").send("run-1-0", b" " * 66_000)
    assert (exchange.outcome, exchange.status) == (ANSWERED, 413)


def test_abort_ends_the_wait_of_another_thread(serve):
    asked = threading.Event()
    sender = client(serve(lambda nth: asked.set() or HANG).address, timeout_s=30)
    exchanges = []
    thread = threading.Thread(target=lambda: exchanges.append(sender.send("run-1-0", b"{}")))
    thread.start()
    assert asked.wait(5)
    sender.abort()
    thread.join(5)
    assert [exchange.outcome for exchange in exchanges] == [UNKNOWN]
