from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.faults import make
from tocsin.harness.faults.bases import hook

FAULT = make("model_slow", {"delay_ms": 20, "share": 0.5})


class Timed(FakeLive):
    """Answers after the seconds given, one after the other, on a clock of its own; status 0 for None."""

    def __init__(self, *took_s: float | None) -> None:
        super().__init__("127.0.0.1:1", (200,))
        self.took_s = took_s
        self.asked = 0
        self.now = 0.0

    def probe(self, count: int) -> list[int]:
        took_s = self.took_s[self.asked % len(self.took_s)]
        self.asked += 1
        self.now += took_s or 0.0
        return [0 if took_s is None else 200]


SEEN = [
    ((0.02,), "present", 1),
    ((0.0, 0.0, 0.017), "present", 3),
    ((0.0,), "absent", 7),
    ((0.004,), "absent", 7),
    ((0.0, None), "cannot_tell", 2),
]


@pytest.mark.parametrize(("took_s", "state", "asked"), SEEN)
def test_the_witness_times_requests_as_a_client_does(
    took_s: tuple[float | None, ...], state: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Timed(*took_s)
    monkeypatch.setattr(hook, "time", SimpleNamespace(perf_counter=lambda: live.now))
    assert (FAULT.witness(live).state, live.asked) == (state, asked)


def test_inject_and_heal_use_the_hook() -> None:
    with answering(200) as (address, calls):
        FAULT.inject(FakeLive(address))
        FAULT.heal(FakeLive(address))
    path = "/faults/model_slow"
    assert calls == [("PUT", path, {"delay_ms": 20, "share": 0.5}), ("DELETE", path, None)]


@pytest.mark.parametrize("params", [{"delay_ms": 9}, {"delay_ms": 60_001}, {"delay_ms": 50, "share": 0}, {}])
def test_parameters_are_bounded(params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="delay_ms|share"):
        make("model_slow", params)


def test_it_blinds_nothing() -> None:
    assert FAULT.blinds(fault_stack()) == ()
