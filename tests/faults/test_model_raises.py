from __future__ import annotations

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import make

PATH = "/faults/model_raises"
FAULT = make("model_raises", {"share": 0.3})

SEEN = [
    ((200, 500, 200), "present", "7 of 20 answered 500"),
    ((500,), "present", "20 of 20 answered 500"),
    ((200,), "absent", "20 of 20 answered 200"),
    ((0,), "cannot_tell", "0 of 20 answered 200"),
    ((200, 200, 0), "cannot_tell", "14 of 20 answered 200"),
    ((503,), "cannot_tell", "0 of 20 answered 200"),
    ((0, 500), "present", "10 of 20 answered 500"),
    ((), "cannot_tell", "0 of 0 answered 200"),
]


@pytest.mark.parametrize(("statuses", "state", "detail"), SEEN)
def test_the_witness_asks_as_a_client_does(statuses: tuple[int, ...], state: str, detail: str) -> None:
    seen = FAULT.witness(FakeLive("127.0.0.1:1", statuses))
    assert (seen.state, seen.detail) == (state, detail)


@pytest.mark.parametrize(("share", "probes"), [(1, 20), (0.5, 20), (0.3, 20), (0.1, 44), (0.05, 90), (0.001, 200)])
def test_a_small_share_is_looked_for_longer(share: float, probes: int) -> None:
    live = FakeLive("127.0.0.1:1", (200,))
    make("model_raises", {"share": share}).witness(live)
    assert live.done == [("probe", probes)]


def test_inject_and_heal_use_the_hook() -> None:
    with answering(200) as (address, calls):
        FAULT.inject(FakeLive(address))
        FAULT.heal(FakeLive(address))
        FAULT.heal(FakeLive(address))
    assert calls == [("PUT", PATH, {"share": 0.3}), ("DELETE", PATH, None), ("DELETE", PATH, None)]


def test_a_refusal_is_named() -> None:
    with answering(500) as (address, _):
        with pytest.raises(StackError, match="answered 500: told"):
            FAULT.inject(FakeLive(address))
        with pytest.raises(HealError, match="answered 500 to DELETE: told"):
            FAULT.heal(FakeLive(address))
    with answering(404) as (address, _):
        FAULT.heal(FakeLive(address))  # there is none to turn off


def test_a_service_that_is_down_has_nothing_left_of_it() -> None:
    (port,) = choose_ports(1)
    FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=False))
    with pytest.raises(HealError, match="cannot be turned off"):
        FAULT.heal(FakeLive(f"127.0.0.1:{port}", runs=True))
    with pytest.raises(StackError, match="does not answer"):
        FAULT.inject(FakeLive(f"127.0.0.1:{port}", runs=False))


@pytest.mark.parametrize("share", [0, -0.1, 1.01])
def test_a_share_lies_above_0_and_at_most_at_1(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        make("model_raises", {"share": share})


def test_it_blinds_nothing() -> None:
    assert FAULT.blinds(fault_stack()) == ()
