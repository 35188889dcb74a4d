from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from tests.faults.fake_live import FakeLive, fault_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.faults import disk_slow, make

FAULT = make("disk_slow", {"disk": "request-log", "writes_per_s": 10})


class Disk(FakeLive):
    """`run_in` gives what it is told to, and keeps what was run."""

    def __init__(self, gives: tuple[int, str] | StackError = (0, ""), *, runs: bool = True) -> None:
        super().__init__("127.0.0.1:1", runs=runs)
        self.gives = gives
        self.ran: list[Sequence[str]] = []

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        assert role == "model"
        self.ran.append(argv)
        if isinstance(self.gives, StackError):
            raise self.gives
        return self.gives


def test_the_role_of_the_disk_is_slowed_and_started_if_it_did_not_survive() -> None:
    live = Disk(runs=False)
    FAULT.inject(live)
    FAULT.heal(live)
    FAULT.heal(live)
    assert live.done == [("limit", "model", {"writes_per_s": 10.0}), ("restart", "model")]


@pytest.mark.parametrize(
    ("took_s", "state"),
    [(0.1, "present"), (0.081, "present"), (3.0, "present"), (0.06, "cannot_tell"), (0.01, "absent")],
)
def test_the_time_that_a_block_takes_is_believed(monkeypatch: pytest.MonkeyPatch, took_s: float, state: str) -> None:
    ticks = iter([0.0, took_s])
    monkeypatch.setattr(disk_slow, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    live = Disk()
    seen = FAULT.witness(live)
    assert (seen.state, seen.detail) == (state, f"a block for request-log takes {took_s * 1000:.0f} ms")
    assert "of=/nowhere/logs/.tocsin-slow" in live.ran[0] and "oflag=dsync" in live.ran[0]


DD = "1+0 records in\n1+0 records out\n512 bytes copied, {} s, 5.1 kB/s\n"


@pytest.mark.parametrize(("says", "state"), [("0.0975", "present"), ("0.00031", "absent"), ("4.2e-05", "absent")])
def test_what_starting_the_command_takes_is_not_the_disks(
    monkeypatch: pytest.MonkeyPatch, says: str, state: str
) -> None:
    ticks = iter([0.0, 0.17])  # as in a container
    monkeypatch.setattr(disk_slow, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    assert FAULT.witness(Disk((0, DD.format(says)))).state == state


@pytest.mark.parametrize(
    ("gives", "state", "words"),
    [
        ((1, "dd: No space left on device\n"), "cannot_tell", "is refused: dd: No space left on device"),
        (StackError("dd beside model took longer"), "present", "waits for more than 10 s"),
    ],
)
def test_a_refused_block_tells_nothing_and_one_that_never_ends_enough(
    gives: tuple[int, str] | StackError, state: str, words: str
) -> None:
    seen = FAULT.witness(Disk(gives))
    assert seen.state == state and words in seen.detail


def test_it_blinds_what_kill_of_the_role_blinds() -> None:
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
