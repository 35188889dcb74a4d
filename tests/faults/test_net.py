from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tests.sidecars.standing_proxy import EDGE, Standing, standing
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.faults import make
from tocsin.harness.faults.bases.edge import slowed
from tocsin.harness.sidecars.proxy.probe import EdgeAnswer

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("net_latency", {"delay_ms": 200}),
    ("net_latency", {"delay_ms": 200, "jitter_ms": 50}),
    ("net_latency", {"delay_ms": 5000}),
    ("net_bandwidth", {"bytes_per_s": 20_000}),
    ("net_slice", {"bytes": 512, "gap_ms": 20}),
    ("net_cut", {"after_bytes": 20}),
    ("net_reset", {}),
    ("net_refuse", {}),
    ("net_partition", {}),
    ("net_partition", {"way": "to"}),
    ("net_partition", {"way": "from"}),
]


class Live(FakeLive):
    """A stack with one proxy."""

    def __init__(self, proxy: Any) -> None:
        super().__init__(proxy.calls)
        self.standing = proxy

    def proxy(self, edge: str) -> Any:
        assert edge == EDGE
        return self.standing


class Deaf(Standing):
    """A proxy that says yes and does nothing."""

    def set(self, **conditions: Any) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def proxy() -> Iterator[Standing]:
    with answering(200) as (address, _), standing(address) as made:
        yield made


@pytest.mark.parametrize(("kind", "params"), FAULTS)
def test_it_is_seen_when_injected_and_gone_when_healed_however_often(
    kind: str, params: dict[str, Any], proxy: Standing
) -> None:
    live, fault = Live(proxy), make(kind, {"edge": EDGE, **params})
    fault.heal(live)
    assert fault.witness(live).state == "absent"
    for _ in range(2):
        fault.inject(live)
    seen = fault.witness(live)
    assert seen.state == "present", seen.detail
    assert EDGE in seen.detail and "past it answered" in seen.detail
    for _ in range(2):
        fault.heal(live)
    assert fault.witness(live).state == "absent"


@pytest.mark.parametrize(("kind", "params"), FAULTS)
def test_one_that_does_not_take_is_not_believed(kind: str, params: dict[str, Any], proxy: Standing) -> None:
    live = Live(Deaf(proxy.listens, proxy.calls, proxy.control))
    fault = make(kind, {"edge": EDGE, **params})
    fault.inject(live)
    assert fault.witness(live).state == "absent"


def test_when_the_role_itself_is_gone_it_cannot_be_told(proxy: Standing) -> None:
    live = Live(Deaf(proxy.listens, "127.0.0.1:1", proxy.control))
    assert make("net_refuse", {"edge": EDGE}).witness(live).state == "cannot_tell"


def test_a_proxy_that_is_gone_is_an_error_of_the_stack_and_a_fault_that_cannot_be_healed(proxy: Standing) -> None:
    live, fault = Live(Standing(proxy.listens, proxy.calls, "127.0.0.1:1")), make("net_reset", {"edge": EDGE})
    with pytest.raises(StackError, match="does not answer"):
        fault.inject(live)
    with pytest.raises(HealError, match="does not answer"):
        fault.heal(live)


SLOWED = [
    (EdgeAnswer(how="answered", took_s=0.3), 0.2, "present"),
    (EdgeAnswer(how="answered", took_s=0.11), 0.2, "present"),
    (EdgeAnswer(how="answered", took_s=0.08), 0.2, "cannot_tell"),
    (EdgeAnswer(how="answered", took_s=0.02), 0.2, "absent"),
    (EdgeAnswer(how="silent", took_s=0.6), 5.0, "present"),
    (EdgeAnswer(how="silent", took_s=0.05), 0.2, "cannot_tell"),
    (EdgeAnswer(how="refused", took_s=0.6), 0.2, "cannot_tell"),
]


@pytest.mark.parametrize(("over", "by_s", "state"), SLOWED)
def test_half_of_the_delay_shows_it_and_a_quarter_denies_it(over: EdgeAnswer, by_s: float, state: str) -> None:
    assert slowed(over, EdgeAnswer(how="answered", took_s=0.0), by_s) == state


BLINDS = [
    ("net_partition", {}, "prometheus -> model", {"drift"}),
    ("net_partition", {}, "prometheus -> alertmanager", {"notifications"}),
    ("net_reset", {}, "alertmanager -> pager", {"notifications"}),
    ("net_refuse", {}, "shipper -> elasticsearch", {"logs"}),
    ("net_partition", {}, "clients -> model", set()),
    ("net_latency", {"delay_ms": 50}, "prometheus -> model", set()),
    ("net_latency", {"delay_ms": 2000}, "prometheus -> model", {"drift"}),
]


@pytest.mark.parametrize(("kind", "params", "edge", "signals"), BLINDS)
def test_it_blinds_what_comes_over_the_edge(kind: str, params: dict[str, Any], edge: str, signals: set[str]) -> None:
    blinds = make(kind, {"edge": edge, **params}).blinds(fault_stack())
    assert {signal for signal, _ in blinds} == signals
