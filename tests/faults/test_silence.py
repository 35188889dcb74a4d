from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import make

FAULT = make("silence", {"alert": "HighErrorRate", "labels": {"model_name": "a"}})


def silences(state: str, **matchers: str) -> str:
    """What Alertmanager lists when it knows one silence."""
    listed = [{"name": name, "value": value, "isRegex": False} for name, value in matchers.items()]
    return json.dumps([{"id": "7", "status": {"state": state}, "matchers": listed}])


OURS: dict[str, Any] = {"alertname": "HighErrorRate", "model_name": "a"}
SEEN = [
    (silences("active", **OURS), "present"),
    (silences("expired", **OURS), "absent"),
    (silences("pending", **OURS), "absent"),
    (silences("active", alertname="HighErrorRate"), "absent"),
    (silences("active", alertname="TargetDown", model_name="a"), "absent"),
    ("[]", "absent"),
]


@pytest.mark.parametrize(("text", "state"), SEEN)
def test_the_witness_reads_alertmanagers_list(text: str, state: str) -> None:
    with answering(200, text) as (address, _):
        assert FAULT.witness(FakeLive(address)).state == state


def test_it_is_created_once_and_expired() -> None:
    with answering(200, "[]") as (address, calls):
        FAULT.inject(FakeLive(address))
    method, path, wanted = calls[-1]
    assert (method, path) == ("POST", "/api/v2/silences")
    assert [(one["name"], one["value"]) for one in wanted["matchers"]] == list(OURS.items())
    assert wanted["createdBy"] == "r" and wanted["startsAt"] < wanted["endsAt"]
    with answering(200, silences("active", **OURS)) as (address, calls):
        FAULT.inject(FakeLive(address))
        FAULT.heal(FakeLive(address))
    assert [one[:2] for one in calls[1:]] == [("GET", "/api/v2/silences"), ("DELETE", "/api/v2/silence/7")]


def test_refusals_are_named() -> None:
    with answering(500) as (address, _), pytest.raises(StackError, match="answered 500"):
        FAULT.inject(FakeLive(address))
    (port,) = choose_ports(1)
    FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=False))
    with pytest.raises(HealError, match="cannot be asked"):
        FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=True))


def test_it_blinds_nothing() -> None:
    assert FAULT.blinds(fault_stack()) == ()


def test_something_must_be_named() -> None:
    with pytest.raises(ValueError, match="expected `alert`, `labels` or both"):
        make("silence", {})
    assert make("silence", {"labels": {"service": "a"}}).params.alert is None
