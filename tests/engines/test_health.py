from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tocsin.harness.core.clock import FakeClock
from tocsin.harness.core.errors import RoleDied, WaitTimeout
from tocsin.harness.engines.common.health import Abandoned, HealthCheck, stamp
from tocsin.harness.engines.common.ports import choose_ports


class FakeChild:
    """Lives through so many looks."""

    name, log = "web", Path("/logs/web.log")

    def __init__(self, looks: int = 10_000) -> None:
        self.looks = looks

    @property
    def alive(self) -> bool:
        self.looks -= 1
        return self.looks >= 0

    def tail(self) -> str:
        return "  the last line"

    def ended(self) -> str:
        return "web ended with status 1."


def awaiting(child: FakeChild | None = None, **more: Any) -> HealthCheck:
    told = {"address": "127.0.0.1:1", "http": None, "file": None, "before": None, "within_s": 3.0, **more}
    return HealthCheck(child=child or FakeChild(), **told)  # type: ignore[arg-type]


@contextmanager
def answering(*statuses: int) -> Iterator[str]:
    left = list(statuses)

    class Call(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Call)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_http_health_is_status_200_and_nothing_else() -> None:
    with answering(503, 301, 200) as address:
        wait = awaiting(address=address, http="/ready")
        assert [wait.state() for _ in range(3)] == [(False, "status 503"), (False, "status 301"), (True, "status 200")]


def test_it_waits_until_healthy_and_tells_how_long() -> None:
    with answering(503, 503, 200) as address:
        assert awaiting(address=address, http="/").wait(FakeClock()) == pytest.approx(0.1)  # two looks in between


def test_a_refused_connection_and_a_torn_answer_are_states() -> None:
    (port,) = choose_ports(1)
    assert awaiting(address=f"127.0.0.1:{port}", http="/").state() == (False, f"127.0.0.1:{port}: Connection refused")
    with socket.create_server(("127.0.0.1", 0)) as server:
        wait = awaiting(address=f"127.0.0.1:{server.getsockname()[1]}", http="/")

        def tear() -> None:
            caller, _ = server.accept()
            caller.recv(1000)
            caller.sendall(b"nonsense\r\n\r\n")
            caller.close()

        thread = threading.Thread(target=tear)
        thread.start()
        done, state = wait.state()
        thread.join()
    assert not done and "BadStatusLine" in state


def test_too_late_says_what_was_awaited_how_long_and_the_last_state() -> None:
    with answering(503) as address, pytest.raises(WaitTimeout) as late:
        awaiting(address=address, http="/ready").wait(FakeClock())
    assert str(late.value) == (
        f"Waited 3.0 s for web to answer 200 at http://{address}/ready; last seen: status 503. "
        "Its last lines in /logs/web.log:\n  the last line"
    )


def test_a_file_must_be_written_after_the_start(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    assert stamp(file) is None and stamp(None) is None
    assert awaiting(file=file).state() == (False, f"no fresh {file}")
    file.write_text("")
    assert awaiting(file=file).state()[0]
    assert awaiting(file=file, before=stamp(file)).state() == (False, f"an old {file}")
    assert awaiting(file=file, before=1).state()[0]
    assert awaiting(file=file).awaited == f"web to write {file}"


def test_without_any_health_a_living_process_will_do() -> None:
    assert awaiting().wait(FakeClock()) == 0
    assert awaiting().awaited == "web to be healthy"


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_role_that_ends_meanwhile_has_died_even_if_somebody_else_answers(looks: int) -> None:
    statuses = (200,) if looks == 1 else (503,)
    with answering(*statuses) as address, pytest.raises(RoleDied, match="but web ended with status 1"):
        awaiting(FakeChild(looks), address=address, http="/").wait(FakeClock())


def test_waiting_is_given_up_when_another_role_failed() -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(Abandoned):
        awaiting(http="/").wait(FakeClock(), given_up)
