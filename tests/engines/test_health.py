from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fake_clock import FakeClock
from tocsin.harness.core.errors import RoleDied, WaitTimeout
from tocsin.harness.declarations.launch_spec import Health
from tocsin.harness.engines.common.health import Abandoned, HealthCheck
from tocsin.harness.engines.common.ports import choose_ports


class FakeChild:
    """Lives through so many looks."""

    log = Path("/logs/web.log")

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


def check(address: str = "127.0.0.1:1", **health: Any) -> HealthCheck:
    places: Any = SimpleNamespace(address=lambda role: address, fill=lambda text, role: text)
    return HealthCheck(role="web", places=places, health=Health(within_s=3.0, **health))


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
        wait = check(address=address, http="/ready")
        assert [wait.state() for _ in range(3)] == [(False, "status 503"), (False, "status 301"), (True, "status 200")]


def test_it_waits_until_healthy_and_tells_how_long() -> None:
    with answering(503, 503, 200) as address:
        waited_s = check(address=address, http="/").wait(FakeChild(), FakeClock())
    assert waited_s == pytest.approx(0.1)  # two looks in between


def test_a_refused_connection_and_a_torn_answer_are_states() -> None:
    (port,) = choose_ports(1)
    assert check(address=f"127.0.0.1:{port}", http="/").state() == (False, f"127.0.0.1:{port}: Connection refused")
    with socket.create_server(("127.0.0.1", 0)) as server:
        wait = check(address=f"127.0.0.1:{server.getsockname()[1]}", http="/")

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
        check(address=address, http="/ready").wait(FakeChild(), FakeClock())
    assert str(late.value) == (
        f"Waited 3.0 s for web to answer 200 at http://{address}/ready; last seen: status 503. "
        "Its last lines in /logs/web.log:\n  the last line"
    )


def test_a_file_must_be_written_after_the_start(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    fresh, old = check(file=str(file)), check(file=str(file))
    assert fresh.state() == (False, f"no fresh {file}")
    file.write_text("")
    old.about_to_start()
    assert fresh.state()[0] and old.state() == (False, f"an old {file}")
    os.utime(file, ns=(1, 1))
    assert old.state()[0]
    assert fresh.awaited == f"web to write {file}"


def test_without_any_health_a_living_process_will_do() -> None:
    assert check().wait(FakeChild(), FakeClock()) == 0
    assert check().awaited == "web to be healthy"


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_a_role_that_ends_meanwhile_has_died_even_if_somebody_else_answers(looks: int) -> None:
    statuses = (200,) if looks == 1 else (503,)
    with answering(*statuses) as address, pytest.raises(RoleDied, match="but web ended with status 1"):
        check(address, http="/").wait(FakeChild(looks), FakeClock())


def test_waiting_is_given_up_when_another_role_failed() -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(Abandoned):
        check(http="/").wait(FakeChild(), FakeClock(), given_up)
