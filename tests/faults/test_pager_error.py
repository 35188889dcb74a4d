"""The pager refuses notifications: tried on the real pager."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, fault_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.stack import Hook
from tocsin.harness.faults import make
from tocsin.harness.sidecars.pager import FAULT_PATH, Pager


class Refusing:
    """A pager that can be told to refuse (or not), as a stack sees it."""

    def __init__(self, record: Path, *, faults: bool) -> None:
        self.record = record
        self.pager = Pager(0, record, faults=faults)
        self.thread = threading.Thread(target=self.pager.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.live = FakeLive(f"127.0.0.1:{self.pager.server_port}")
        hook = Hook(role="pager", port="http", path=FAULT_PATH)
        self.live.stack = self.live.stack.model_copy(update={"hooks": {"pager_error": hook}})

    def post(self, receiver: str) -> int:
        return call("POST", self.live.at, f"/{receiver}", body={"status": "firing", "alerts": []})[0]

    def answered(self) -> list[int]:
        return [json.loads(line)["answered"] for line in self.record.read_text().splitlines()]

    def close(self) -> None:
        self.pager.shutdown()
        self.thread.join()
        self.pager.server_close()


@pytest.fixture
def pager(tmp_path: Path) -> Iterator[Refusing]:
    pager = Refusing(tmp_path / "notifications.jsonl", faults=True)
    yield pager
    pager.close()


def states(pager: Refusing, params: dict[str, Any]) -> tuple[str, list[int], str]:
    """Return what the witness sees, what four notifications are told meanwhile, and what it sees after the heal."""
    fault = make("pager_error", params)
    fault.inject(pager.live)
    fault.inject(pager.live)
    seen, told = fault.witness(pager.live).state, [pager.post("page") for _ in range(4)]
    fault.heal(pager.live)
    fault.heal(pager.live)
    return seen, told, fault.witness(pager.live).state


TOLD = [
    ({}, [500, 500, 500, 500]),
    ({"status": 429, "share": 0.5}, [200, 429, 200, 429]),
    ({"receiver": "page", "share": 0.25}, [200, 200, 200, 500]),
    ({"receiver": "ticket"}, [200, 200, 200, 200]),
]


@pytest.mark.parametrize(("params", "told"), TOLD)
def test_a_share_is_refused_seen_and_no_more_after_the_heal(
    pager: Refusing, params: dict[str, Any], told: list[int]
) -> None:
    assert states(pager, params) == ("present", told, "absent")
    assert pager.post("page") == 200
    assert pager.answered() == [*told, 200]


def test_the_witness_writes_nothing_down_and_needs_the_effect(pager: Refusing) -> None:
    assert make("pager_error", {}).witness(pager.live).state == "absent"
    make("pager_error", {"receiver": "ticket"}).inject(pager.live)
    assert make("pager_error", {"receiver": "page"}).witness(pager.live).state == "absent"
    pager.pager.answer = 200
    pager.pager.refusal = None
    assert make("pager_error", {"receiver": "ticket"}).witness(pager.live).state == "absent"
    assert pager.answered() == []


def test_a_pager_that_is_no_part_of_a_drill_refuses_to_refuse(tmp_path: Path) -> None:
    pager = Refusing(tmp_path / "n.jsonl", faults=False)
    try:
        fault = make("pager_error", {})
        with pytest.raises(StackError, match="answered 404"):
            fault.inject(pager.live)
        fault.heal(pager.live)
        assert (fault.witness(pager.live).state, pager.post("page")) == ("absent", 200)
    finally:
        pager.close()


@pytest.mark.parametrize("given", [None, {}, {"status": 200, "share": 1, "receiver": None}])
def test_the_pager_refuses_wrong_parameters(pager: Refusing, given: dict[str, Any] | None) -> None:
    assert call("PUT", pager.live.at, FAULT_PATH, body=given)[0] == 422
    assert pager.post("page") == 200


@pytest.mark.parametrize("params", [{"status": 400}, {"status": 600}, {"share": 0}, {"share": 2}])
def test_parameters_are_bounded(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="status|share"):
        make("pager_error", params)


def test_it_blinds_the_notifications_unless_the_watchdog_gets_through() -> None:
    stack = fault_stack()
    watchdog = {"alert": "Watchdog", "receiver": "watchdog", "every": 60}
    signals = type(stack.signals).model_validate({**stack.signals.model_dump(), "watchdog": watchdog})
    stack = stack.model_copy(update={"signals": signals})
    blind = (("notifications", "pager"),)
    found = [make("pager_error", {"receiver": name}).blinds(stack) for name in ("page", "watchdog", None)]
    assert found == [(), blind, blind]
