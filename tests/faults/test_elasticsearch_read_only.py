"""Elasticsearch takes no more documents: what it is asked, and what its answers show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import elasticsearch_read_only, make

FAULT = make("elasticsearch_read_only", {})
SEEN = [
    ({"a-1": 403, "a-2": 403}, "present"),
    ({"a-1": 429}, "present"),
    ({"a-1": 404, "a-2": 404}, "absent"),
    ({"a-1": 403, "a-2": 404}, "cannot_tell"),
    ({}, "cannot_tell"),
]


@pytest.mark.parametrize(("told", "state"), SEEN)
def test_the_witness_asks_every_index_of_the_logs(
    told: dict[str, int], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(method: str, address: str, path: str, body: Any = None) -> tuple[int, str]:
        if method == "GET":
            assert path == "/a/_alias"
            return 200, json.dumps({index: {"aliases": {}} for index in told})
        assert method == "DELETE" and path.endswith("/_doc/tocsin-no-such-document")
        return told[path.split("/")[1]], ""

    monkeypatch.setattr(elasticsearch_read_only, "call", answer)
    seen = FAULT.witness(FakeLive("127.0.0.1:1"))
    assert seen.state == state and all(f"{index} answers {status}" in seen.detail for index, status in told.items())


@pytest.mark.parametrize("block", ["write", "read_only_allow_delete"])
def test_the_block_is_set_and_lifted(block: str) -> None:
    fault = make("elasticsearch_read_only", {"block": block})
    with answering(200) as (address, calls):
        fault.inject(FakeLive(address))
        fault.heal(FakeLive(address))
    name = f"index.blocks.{block}"
    assert calls == [("PUT", "/_all/_settings", {name: True}), ("PUT", "/_all/_settings", {name: None})]


def test_refusals_are_named() -> None:
    with answering(500) as (address, _):
        with pytest.raises(StackError, match="answered 500 to a block"):
            FAULT.inject(FakeLive(address))
        with pytest.raises(HealError, match="answered 500 when asked to lift"):
            FAULT.heal(FakeLive(address))
    (port,) = choose_ports(1)
    FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=False))
    with pytest.raises(HealError, match="cannot be asked"):
        FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=True))


def test_it_blinds_the_logs() -> None:
    assert FAULT.blinds(fault_stack()) == (("logs", "elasticsearch"),)


def test_an_unknown_block_is_refused() -> None:
    with pytest.raises(ValueError, match="write"):
        make("elasticsearch_read_only", {"block": "read"})
