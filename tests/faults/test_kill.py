from __future__ import annotations

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import make

BLINDS = [
    ("model", {"logs", "drift"}),
    ("prometheus", {"metrics", "alerts", "notifications", "drift"}),
    ("alertmanager", {"notifications"}),
    ("pager", {"notifications"}),
    ("elasticsearch", {"logs"}),
    ("shipper", {"logs"}),
    ("node", set()),
]


@pytest.mark.parametrize(("role", "signals"), BLINDS)
def test_it_blinds_what_comes_out_of_the_role_or_through_it(role: str, signals: set[str]) -> None:
    blinds = make("kill", {"role": role}).blinds(fault_stack())
    assert set(blinds) == {(signal, role) for signal in signals}
    assert len(blinds) == len(signals)


def test_a_stack_without_logs_has_none_to_blind() -> None:
    stack = fault_stack()
    stack = stack.model_copy(update={"signals": stack.signals.model_copy(update={"logs": None})})
    assert make("kill", {"role": "shipper"}).blinds(stack) == ()


def test_it_kills_and_starts_again_and_healing_twice_does_nothing_more() -> None:
    live, fault = FakeLive("127.0.0.1:1"), make("kill", {"role": "model"})
    fault.heal(live)  # never injected: it runs
    assert live.done == []
    fault.inject(live)
    fault.heal(live)
    fault.heal(live)
    assert live.done == [("stop", "model", True), ("restart", "model")]


def test_refused_is_present() -> None:
    (port,) = choose_ports(1)
    seen = make("kill", {"role": "model"}).witness(FakeLive(f"127.0.0.1:{port}", runs=False))
    assert (seen.state, seen.detail) == ("present", f"model at 127.0.0.1:{port} refuses connections")


@pytest.mark.parametrize(("status", "state"), [(200, "absent"), (503, "cannot_tell")])
def test_a_healthy_answer_is_absent(status: int, state: str) -> None:
    with answering(status) as (address, calls):
        seen = make("kill", {"role": "model"}).witness(FakeLive(address))
    assert (seen.state, seen.detail) == (state, f"model at {address}/ready answers {status}")
    assert ("GET", "/ready", None) in calls


@pytest.mark.parametrize(("runs", "state"), [(True, "absent"), (False, "present")])
def test_a_role_without_an_address_is_seen_by_whether_it_runs(runs: bool, state: str) -> None:
    assert make("kill", {"role": "shipper"}).witness(FakeLive("127.0.0.1:1", runs=runs)).state == state
