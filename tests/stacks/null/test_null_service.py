"""The service that does nothing: it answers, fails and is slow as told, and its control says no to nonsense."""

from __future__ import annotations

import http.client
import json
import runpy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.harness.cli.engine_registry import memory_mib_of
from tocsin.harness.collectors import collectors_for
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.planning.loader import load_stack

FOLDER = Path(__file__).resolve().parents[3] / "stacks" / "null"


class OfferedLoad:
    """Both ports of a service in this process."""

    def __init__(self) -> None:
        made = runpy.run_path(str(FOLDER / "service.py"))["servers"](0, 0)
        self.servers = made
        for server in made:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.service, self.control = (
            http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5) for server in made
        )

    def ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection.request(method, path, body=body if isinstance(body, bytes) or body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def predict(self, body: Any = None) -> int:
        return self.ask(self.service, "POST", "/predict", {"features": [1, 2]} if body is None else body)[0]


@pytest.fixture(scope="module")
def running() -> Iterator[OfferedLoad]:
    asked = OfferedLoad()
    yield asked
    for server in asked.servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def null(running: OfferedLoad) -> OfferedLoad:
    for name in ("model_raises", "model_slow"):
        running.ask(running.control, "DELETE", f"/faults/{name}")
    return running


def test_it_is_well_and_predicts_nothing(null: OfferedLoad) -> None:
    assert null.ask(null.service, "GET", "/healthz") == (200, {"status": "ok"})
    assert null.ask(null.service, "POST", "/predict", {"features": [1, 2.5]}) == (200, {"prediction": 0})


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 422), ({"features": "x"}, 422), ({"features": ["x"]}, 422), ([], 422), (None, 200)]
)
def test_what_is_no_row_is_refused(null: OfferedLoad, body: Any, status: int) -> None:
    assert null.predict(body) == status


@pytest.mark.parametrize(("share", "failed"), [(1, 20), (0.2, 4), (0.5, 10), (0.05, 1)])
def test_a_share_is_every_nth_request(null: OfferedLoad, share: float, failed: int) -> None:
    assert null.ask(null.control, "PUT", "/faults/model_raises", {"share": share})[0] == 200
    assert [null.predict() for _ in range(20)].count(500) == failed
    assert null.ask(null.control, "DELETE", "/faults/model_raises") == (200, {"on": False})
    assert null.ask(null.control, "DELETE", "/faults/model_raises")[0] == 200, "a second time is harmless"
    assert {null.predict() for _ in range(5)} == {200}


def test_it_can_be_slow(null: OfferedLoad) -> None:
    null.ask(null.control, "PUT", "/faults/model_slow", {"share": 1, "delay_ms": 60})
    began = time.monotonic()
    assert null.predict() == 200
    assert time.monotonic() - began >= 0.06
    assert null.ask(null.control, "GET", "/faults/model_slow") == (
        200,
        {"on": True, "params": {"share": 1, "delay_ms": 60}},
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/faults/model_rises", {"share": 1}, 404),
        ("GET", "/model_raises", None, 404),
        ("PUT", "/faults/model_raises", {"shre": 1}, 422),
        ("PUT", "/faults/model_raises", {"share": "all"}, 422),
        ("PUT", "/faults/model_raises", b"{", 422),
    ],
)
def test_nonsense_turns_nothing_on(null: OfferedLoad, method: str, path: str, body: Any, status: int) -> None:
    assert null.ask(null.control, method, path, body)[0] == status
    assert null.predict() == 200


def test_the_stack_needs_no_program_and_has_no_monitoring() -> None:
    stack = load_stack("null")
    monitoring = read_monitoring(stack)
    assert (stack.programs, monitoring.alerts, monitoring.receivers, monitoring.intervals_s) == ((), (), (), {})
    assert memory_mib_of(stack) < 50
    assert [collector.name for collector in collectors_for(stack.roles)] == ["logs"]
    assert len(collectors_for(load_stack("reference").roles)) == 5
