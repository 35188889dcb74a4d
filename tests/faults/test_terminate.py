from __future__ import annotations

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import make

FAULT = make("terminate", {"role": "model"})


def test_it_asks_to_end_and_starts_again_once() -> None:
    live = FakeLive("127.0.0.1:1")
    FAULT.inject(live)
    FAULT.heal(live)
    FAULT.heal(live)
    assert live.done == [("stop", "model", False), ("restart", "model")]


def test_refused_is_present_and_a_healthy_answer_absent() -> None:
    (port,) = choose_ports(1)
    assert FAULT.witness(FakeLive(f"127.0.0.1:{port}", runs=False)).state == "present"
    with answering(200) as (address, _):
        assert FAULT.witness(FakeLive(address)).state == "absent"


def test_it_blinds_what_kill_blinds() -> None:
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
