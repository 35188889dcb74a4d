"""Faults of the service's process: a blocked event loop, a cold start, memory that grows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.declarations.fault_contract import Witness
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults import blocked_loop, make
from tocsin.harness.faults.bases import hook
from tocsin.harness.faults.bases.role import blinded

BLOCKED = make("blocked_loop", {"block_ms": 20, "every_ms": 100})
COLD = make("cold_start", {"delay_ms": 50})
LEAK = make("memory_leak", {"mib_per_s": 10, "most_mib": 100})


@pytest.mark.parametrize(
    ("took_s", "well", "state"),
    [
        ((0.001, 0.001, 0.011), "absent", "present"),
        ((0.001,), "absent", "absent"),
        ((0.001,), "cannot_tell", "cannot_tell"),
    ],
)
def test_the_witness_times_health_requests(
    took_s: tuple[float, ...], well: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    clock = [0.0]

    def health(live: LiveStack, role: str) -> Witness:
        asked.append(role)
        clock[0] += took_s[len(asked) % len(took_s)]
        return Witness(state=well, detail="")

    monkeypatch.setattr(blocked_loop, "health", health)
    monkeypatch.setattr(blocked_loop, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert BLOCKED.witness(FakeLive("127.0.0.1:1")).state == state
    assert set(asked) == {"model"}


class Slow(FakeLive):
    """Takes that long for a request, on a clock of its own; None is no answer."""

    def __init__(self, took_s: float | None) -> None:
        super().__init__("127.0.0.1:1", (0 if took_s is None else 200,))
        self.took_s, self.now = took_s or 0.0, 0.0

    def probe(self, count: int) -> list[int]:
        self.now += self.took_s
        return super().probe(count)


@pytest.mark.parametrize(("took_s", "state"), [(0.041, "present"), (0.0, "absent"), (None, "cannot_tell")])
def test_the_witness_of_a_cold_start_times_requests(
    took_s: float | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Slow(took_s)
    monkeypatch.setattr(hook, "time", SimpleNamespace(perf_counter=lambda: live.now))
    assert COLD.witness(live).state == state


def test_a_cold_start_is_a_restart_first(tmp_path: Path) -> None:
    with answering(200) as (address, calls):
        live = FakeLive(address)
        live.work = tmp_path
        COLD.inject(live)
        assert live.done == [("stop", "model", True), ("restart", "model")]
        make("cold_start", {"delay_ms": 50}).heal(live)
    assert calls == [
        ("PUT", "/faults/cold_start", {"delay_ms": 50, "requests": 500}),
        ("DELETE", "/faults/cold_start", None),
    ]
    assert COLD.needs() == ("hook:cold_start", "capability:start")
    assert COLD.blinds(fault_stack()) == blinded("model", fault_stack())


def test_a_service_that_was_left_ended_is_started_by_the_heal(tmp_path: Path) -> None:
    with answering(200) as (address, _):
        live = FakeLive(address)
        live.work = tmp_path
        COLD.inject(live)
        live.runs = False
        for _ in range(2):
            COLD.heal(live)
    assert live.done[2:] == [("restart", "model")]


MEMORY = [
    (131, "present"),
    (130, "present"),
    (120, "cannot_tell"),
    (115, "absent"),
    (90, "absent"),
    (None, "cannot_tell"),
]


@pytest.mark.parametrize(("used_mib", "state"), MEMORY)
def test_the_witness_compares_memory_with_before(used_mib: float | None, state: str, tmp_path: Path) -> None:
    with answering(200) as (address, calls):
        live = FakeLive(address)
        live.work, live.seen = tmp_path, {"memory_mib": 100.0}
        LEAK.inject(live)
    live.seen = {} if used_mib is None else {"memory_mib": used_mib}
    assert make("memory_leak", {"mib_per_s": 10, "most_mib": 100}).witness(live).state == state
    assert [method for method, _, _ in calls] == ["DELETE", "PUT"]


def test_without_a_note_nothing_was_done(tmp_path: Path) -> None:
    live = FakeLive("127.0.0.1:1")
    live.work = tmp_path
    assert LEAK.witness(live).state == "absent"


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("blocked_loop", {"block_ms": 19}), ("blocked_loop", {"block_ms": 100, "every_ms": 99}),
        ("cold_start", {"delay_ms": 49}), ("cold_start", {"delay_ms": 100, "requests": 19}),
        ("memory_leak", {"mib_per_s": 257}), ("memory_leak", {"mib_per_s": 1, "most_mib": 2000}),
    ],
)  # fmt: skip
def test_parameters_are_bounded(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        make(kind, params)
