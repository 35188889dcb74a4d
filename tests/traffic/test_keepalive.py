import contextlib
import re
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Tls
from tocsin.harness.evidence.requests import ANSWERED, DROPPED, FAILED, OUTCOMES, UNKNOWN
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.clients.request_encoder import traceparent
from tocsin.harness.traffic.payloads.request_protocol import Form

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HANG, CLOSE = b"hang", b""
PLAIN = Form(path="/predict")


def client(address: str, timeout_s: float = 5) -> KeepAlive:
    return KeepAlive(address, time.monotonic, timeout_s)


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
    exchange = client(serve(answer).address).send("run-1-0", PLAIN, b"{}")
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
    assert client(server.address).send("run-1-0", PLAIN, b"{}").outcome == outcome


def test_a_refused_connection_is_failed(refusing):
    exchange = client(refusing).send("run-1-0", PLAIN, b"{}")
    assert exchange.outcome == FAILED and exchange.sent <= exchange.done and exchange.status == 0


def test_a_server_that_hangs_is_unknown_after_the_timeout(serve):
    exchange = client(serve(HANG).address, timeout_s=0.2).send("run-1-0", PLAIN, b"{}")
    assert exchange.outcome == UNKNOWN
    assert 0.2 <= exchange.done - exchange.sent < 2


def test_a_drip_of_bytes_does_not_extend_the_timeout(serve):
    slow = threading.Event()

    def drip(nth: int) -> bytes:
        slow.wait(0.5)
        return b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"

    exchange = client(serve(drip).address, timeout_s=0.7).send("run-1-0", PLAIN, b"{}")
    assert exchange.outcome == UNKNOWN and exchange.first_byte > exchange.sent
    assert exchange.done - exchange.sent < 1.1


def test_no_descriptor_left_is_dropped_not_failed(serve, monkeypatch):
    def exhausted(*args, **more):
        raise OSError(24, "Too many open files")

    address = serve().address
    monkeypatch.setattr(socket, "create_connection", exhausted)
    assert client(address).send("run-1-0", PLAIN, b"{}").outcome == DROPPED


def test_a_connection_is_kept(serve):
    server, sender = serve(), None
    sender = client(server.address)
    for seq in range(5):
        assert sender.send(f"run-1-{seq}", PLAIN, b"{}").status == 200
    assert [request.connection for request in server.requests] == [1] * 5


def test_a_connection_the_server_closed_meanwhile_is_replaced_before_the_request_is_sent(serve):
    server = serve(hang_up_after_answer=True)
    sender = client(server.address)
    for seq in range(3):
        assert sender.send(f"run-1-{seq}", PLAIN, b"{}").outcome == ANSWERED
        assert server.hung_up.wait(5)
        server.hung_up.clear()
    assert [request.connection for request in server.requests] == [1, 2, 3]


def test_a_request_is_never_sent_twice(serve):
    server = serve(lambda nth: OK if nth == 1 else CLOSE)
    sender = client(server.address)
    assert [sender.send(f"run-1-{seq}", PLAIN, b"{}").outcome for seq in range(2)] == [ANSWERED, UNKNOWN]
    assert [request.head["x-request-id"] for request in server.requests] == ["run-1-0", "run-1-1"]


def test_after_an_unknown_outcome_the_next_request_has_a_connection_of_its_own(serve):
    server = serve(lambda nth: HANG if nth == 1 else OK)
    sender = client(server.address, timeout_s=0.2)
    assert sender.send("run-1-0", PLAIN, b"{}").outcome == UNKNOWN
    assert sender.send("run-1-1", PLAIN, b"{}").outcome == ANSWERED


def test_the_request_as_received(serve):
    server = serve()
    client(server.address).send("run-1-7", PLAIN, b'{"features": [1]}')
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
        client(server.address).send(f"run-1-{seq}", PLAIN, b"{}")
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
        exchange = client(f"127.0.0.1:{listener.getsockname()[1]}").send("run-1-0", PLAIN, b" " * 66_000)
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
    exchange = client("127.0.0.1:1").send("run-1-0", PLAIN, b" " * 66_000)
    assert (exchange.outcome, exchange.status) == (ANSWERED, 413)


def test_abort_ends_the_wait_of_another_thread(serve):
    asked = threading.Event()
    sender = client(serve(lambda nth: asked.set() or HANG).address, timeout_s=30)
    exchanges = []
    thread = threading.Thread(target=lambda: exchanges.append(sender.send("run-1-0", PLAIN, b"{}")))
    thread.start()
    assert asked.wait(5)
    sender.abort()
    thread.join(5)
    assert [exchange.outcome for exchange in exchanges] == [UNKNOWN]


@pytest.fixture
def raw():
    """A server that keeps all it is sent; `answer` goes out when the client has ended its side or `enough` came."""
    received, ended, pieces = bytearray(), threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                while got := connection.recv(65536):
                    received.extend(got)
                    pieces.append((time.monotonic(), len(got)))
                    if received.endswith(b"}"):
                        connection.sendall(OK)
                connection.sendall(b"HTTP/1.1 400 Cut Off\r\ncontent-length: 0\r\n\r\n")
            except ConnectionResetError:
                received.extend(b"RESET")
        ended.set()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", received, pieces, ended
    listener.close()


BODY = b'{"features": [1, 2, 3]}'


def test_an_abort_cuts_the_connection_in_the_middle_of_the_body(raw):
    address, received, _, ended = raw
    exchange = client(address).send("run-1-0", Form(path="/predict", manner="abort"), BODY)
    assert ended.wait(5) and (OUTCOMES[exchange.outcome], exchange.status) == ("unknown", 0)
    assert received.endswith(b"RESET") and f"content-length: {len(BODY)}".encode() in received
    assert received.removesuffix(b"RESET").partition(b"\r\n\r\n")[2] in (BODY[: len(BODY) // 2], b"")


def test_a_truncated_body_ends_early_and_the_answer_is_awaited(raw):
    address, received, _, ended = raw
    exchange = client(address).send("run-1-0", Form(path="/predict", manner="truncated"), BODY)
    assert ended.wait(5) and (OUTCOMES[exchange.outcome], exchange.status) == ("answered", 400)
    assert received.partition(b"\r\n\r\n")[2] == BODY[: len(BODY) // 2]
    assert f"content-length: {len(BODY)}".encode() in received


def test_a_truncated_body_without_an_answer_is_unknown(serve):
    exchange = client(serve(HANG).address, 0.3).send("run-1-0", Form(path="/predict", manner="truncated"), BODY)
    assert exchange.outcome == UNKNOWN


def test_a_slow_body_comes_in_pieces_over_its_time_and_whole(raw):
    address, received, pieces, _ = raw
    sender = client(address)
    exchange = sender.send("run-1-0", Form(path="/predict", manner="slow_body", slow_s=0.3), BODY)
    sender.close()
    assert (OUTCOMES[exchange.outcome], exchange.status) == ("answered", 200)
    assert received.endswith(BODY) and len(pieces) >= 4
    assert 0.29 <= exchange.done - exchange.sent < 2 and pieces[-1][0] - pieces[0][0] > 0.2


def test_a_slow_body_that_takes_longer_than_the_timeout_is_unknown(raw):
    exchange = client(raw[0], 0.2).send("run-1-0", Form(path="/predict", manner="slow_body", slow_s=30), BODY)
    assert exchange.outcome == UNKNOWN and exchange.done - exchange.sent < 2


def test_method_path_type_and_headers_are_those_of_the_form(serve):
    server = serve()
    form = Form(path="/v2/50%25", method="PUT", content_type="", headers=(("authorization", "Bearer x"),))
    client(server.address).send("run-1-0", form, b"{}")
    [request] = server.requests
    assert request.first_line == "PUT /v2/50%25 HTTP/1.1"
    assert request.head["authorization"] == "Bearer x" and "content-type" not in request.head


def test_the_answer_to_head_has_no_body(serve):
    server = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")
    exchange = client(server.address).send("run-1-0", Form(path="/predict", method="HEAD"), b"")
    assert (OUTCOMES[exchange.outcome], exchange.status) == ("answered", 200)


def test_the_trace_follows_from_the_id(serve):
    server = serve()
    client(server.address).send("run-1-7", PLAIN, b"{}")
    assert server.requests[0].head["traceparent"] == traceparent("run-1-7") != traceparent("run-1-8")


CERTIFICATE = Path(__file__).with_name("loopback.pem")


@pytest.fixture
def https():
    """A TLS server for one connection at a time; `handshakes` tells how each of them went."""
    context, handshakes = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(CERTIFICATE)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        handshakes.append("done")
                        while connection.recv(65536):
                            connection.sendall(OK)
                except ssl.SSLError:
                    handshakes.append("refused")

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", handshakes
    listener.close()


@pytest.mark.parametrize(
    "tls, outcome", [(Tls(ca=CERTIFICATE), ANSWERED), (Tls(verify=False), ANSWERED), (Tls(), FAILED)]
)
def test_https_is_verified_unless_told_otherwise_and_its_connection_kept(https, tls, outcome):
    address, handshakes = https
    sender = KeepAlive(address, time.monotonic, 5, tls.context())
    assert [sender.send(f"run-1-{seq}", PLAIN, b"{}").outcome for seq in range(3)] == [outcome] * 3
    sender.close()
    assert handshakes.count("done") == (1 if outcome == ANSWERED else 0)


def test_a_certificate_that_is_no_file_is_a_sentence(tmp_path):
    with pytest.raises(StackError, match="files of `tls`.* cannot be used"):
        Tls(ca=tmp_path / "none.pem").context()


def test_the_files_of_tls_are_named_from_the_stack_folder(tmp_path):
    declared = Tls(ca="certificates/ca.pem", key="own.key")
    assert declared.below(tmp_path) == Tls(ca=tmp_path / "certificates/ca.pem", key=tmp_path / "own.key")
    assert Tls(verify=False).below(tmp_path) == Tls(verify=False)
