"""memory_pressure and out_of_memory: what they ask of the engine, and what they make of the kernel's figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.faults import make

KINDS = ("memory_pressure", "out_of_memory")


@dataclass(frozen=True, kw_only=True)
class Seen:
    kind: str
    usage: dict[str, float]
    runs: bool = True
    status: int = 200
    state: str = "present"
    words: str = ""
    params: dict[str, Any] = field(default_factory=dict)


SEEN = [
    Seen(kind="memory_pressure", usage={"memory_mib": 101.6, "memory_limit_mib": 102}, words="101.6 of 102.0 MiB"),
    Seen(kind="memory_pressure", usage={"memory_mib": 100.5, "memory_limit_mib": 102}, state="cannot_tell"),
    Seen(
        kind="memory_pressure",
        usage={"memory_mib": 109, "memory_limit_mib": 110},
        params={"leave_mib": 8},
        words="109.0 of 110.0 MiB",
    ),
    Seen(kind="memory_pressure", usage={"memory_mib": 101.9}, state="absent", words="answers 200"),
    Seen(
        kind="memory_pressure",
        usage={"memory_mib": 0.0, "memory_limit_mib": 102},
        runs=False,
        state="cannot_tell",
        words="too little memory for it",
    ),
    Seen(kind="out_of_memory", usage={"oom_kills": 2}, runs=False, words="the kernel killed 2 processes"),
    Seen(kind="out_of_memory", usage={"oom_kills": 0}, runs=False, state="cannot_tell", words="killed 0 processes"),
    Seen(kind="out_of_memory", usage={}, runs=False, state="cannot_tell"),
    Seen(kind="out_of_memory", usage={"oom_kills": 1}, state="absent", words="answers 200"),
    Seen(kind="out_of_memory", usage={"oom_kills": 1}, status=503, state="cannot_tell", words="answers 503"),
]


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{seen.kind}-{seen.state}-{seen.usage}")
def test_the_kernel_is_believed_and_not_the_injection(seen: Seen) -> None:
    fault = make(seen.kind, {"role": "model", **seen.params})
    with answering(seen.status) as (address, _):
        live = FakeLive(address, runs=seen.runs)
        live.seen = seen.usage
        witness = fault.witness(live)
    assert witness.state == seen.state and seen.words in witness.detail


def test_pressure_leaves_a_little_and_is_not_put_on_twice() -> None:
    live, fault = FakeLive("127.0.0.1:1"), make("memory_pressure", {"role": "model", "leave_mib": 3})
    live.seen = {"memory_mib": 100.0}
    fault.inject(live)
    live.seen = {"memory_mib": 102.0, "memory_limit_mib": 103.0}
    fault.inject(live)
    assert live.done == [("limit", "model", {"memory_mib": 103.0})]


@pytest.mark.parametrize(("held", "limit"), [(100.0, 40.0), (5.0, 4.0)])
def test_the_limit_is_a_share_of_what_is_held_and_never_nothing(held: float, limit: float) -> None:
    live = FakeLive("127.0.0.1:1")
    live.seen = {"memory_mib": held}
    make("out_of_memory", {"role": "model", "share": 0.4}).inject(live)
    assert live.done == [("limit", "model", {"memory_mib": limit})]


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_that_was_killed_is_started_by_the_heal(kind: str) -> None:
    live, fault = FakeLive("127.0.0.1:1", runs=False), make(kind, {"role": "model"})
    fault.heal(live)
    fault.heal(live)
    assert live.done == [("restart", "model")]
    assert fault.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
