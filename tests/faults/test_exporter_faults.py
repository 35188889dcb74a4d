"""An exporter that tells old values, and one that answers with an error."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness import faults
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults import exporter_stale, make

STALE, ERROR = make("exporter_stale", {"role": "node"}), make("exporter_error", {"role": "node", "status": 503})
SEEN = [
    (((200, "age 1"), (200, "age 1")), "present"),
    (((200, "age 1"), (200, "age 2")), "absent"),
    (((200, "age 1"), (500, "age 1")), "cannot_tell"),
    (((500, ""), (500, "")), "cannot_tell"),
]


@pytest.mark.parametrize(("pages", "state"), SEEN)
def test_two_scrapes_tell_whether_anything_moves(
    pages: Sequence[tuple[int, str]], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(pages)

    def scrape(live: LiveStack, role: str) -> tuple[int, str]:
        assert role == "node"
        return left.pop(0)

    monkeypatch.setattr(exporter_stale, "scrape", scrape)
    assert STALE.witness(FakeLive("127.0.0.1:1")).state == state and not left


@pytest.mark.parametrize(("status", "state"), [(503, "present"), (200, "absent"), (500, "cannot_tell")])
def test_a_scrape_tells_whether_it_is_an_error(status: int, state: str) -> None:
    with answering(status) as (address, calls):
        assert ERROR.witness(FakeLive(address)).state == state
    assert calls == [("GET", "/metrics", None)]


def test_the_hook_bears_the_role_in_its_name() -> None:
    with answering(200) as (address, calls):
        for fault in (STALE, ERROR):
            fault.inject(FakeLive(address))
            fault.heal(FakeLive(address))
    stale, error = "/faults/exporter_stale", "/faults/exporter_error"
    assert calls == [
        ("PUT", stale, {}),
        ("DELETE", stale, None),
        ("PUT", error, {"status": 503}),
        ("DELETE", error, None),
    ]
    assert STALE.blinds(fault_stack()) == ()
    bare = fault_stack().model_copy(update={"hooks": {}})
    (sentence,) = faults.lacking(STALE, bare)
    assert "needs hook 'exporter_stale/node'" in sentence
