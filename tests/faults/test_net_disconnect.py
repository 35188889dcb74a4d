from __future__ import annotations

import pytest

from tests.faults.fake_live import ABLE, FakeLive, answering, fault_stack
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import lacking, make

FAULT = make("net_disconnect", {"role": "model"})


def test_what_was_taken_off_is_refused_and_what_was_put_back_answers() -> None:
    with answering(200) as (address, _):
        live = FakeLive(address)
        assert FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        assert FAULT.witness(live).state == "cannot_tell", "the runtime's word alone is not enough: somebody listens"
        (live.at,) = (f"127.0.0.1:{port}" for port in choose_ports(1))
        seen = FAULT.witness(live)
        assert seen.state == "present" and "on no network" in seen.detail and "refuses" in seen.detail
        live.at = address
        FAULT.heal(live)
        FAULT.heal(live)
        assert FAULT.witness(live).state == "absent"


@pytest.mark.parametrize(("joined", "runs"), [(("default",), True), ((), False)])
def test_a_refusal_alone_is_no_proof(joined: tuple[str, ...], runs: bool) -> None:
    (port,) = choose_ports(1)
    live = FakeLive(f"127.0.0.1:{port}", runs=runs)
    live.joined = joined
    assert FAULT.witness(live).state == "cannot_tell"


def test_it_blinds_what_kill_blinds() -> None:
    for role in ("model", "prometheus", "elasticsearch", "node"):
        params = {"role": role}
        assert make("net_disconnect", params).blinds(fault_stack()) == make("kill", params).blinds(fault_stack())


def test_an_engine_without_networks_of_its_own_says_so() -> None:
    (said,) = lacking(FAULT, fault_stack(), ABLE - {"disconnect"})
    assert "needs 'disconnect', which this engine cannot do here (that requires containers: `--engine compose`)" in said
