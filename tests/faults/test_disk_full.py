from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, fault_stack
from tocsin.harness.core.errors import StackError
from tocsin.harness.faults import make

NO_ROOM = "dd: error writing '/logs/.tocsin-try': No space left on device"


class Disk(FakeLive):
    """A disk of so many KiB; every command is kept. `refuses` is what dd says, empty: it writes."""

    def __init__(self, used: int, size: int = 1000, refuses: str = "") -> None:
        super().__init__("127.0.0.1:1")
        self.used, self.size, self.refuses = used, size, refuses
        self.ran: list[Sequence[str]] = []

    def disk(self, name: str) -> str:
        return "/logs"

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        assert role == "model"
        self.ran.append(argv)
        if argv[0] == "df":
            free = self.size - self.used
            return (
                0,
                f"Filesystem 1024-blocks Used Available Capacity Mounted on\nx {self.size} {self.used} {free} 5% /l",
            )
        return (1, self.refuses) if argv[0] == "dd" and self.refuses else (0, "")

    def written(self) -> list[str]:
        return [part for argv in self.ran if argv[0] == "dd" for part in argv if part.startswith(("of=", "count="))]


def test_a_disk_that_is_larger_than_declared_is_the_machines_and_not_filled() -> None:
    live = Disk(200, size=4 * 1024 + 1)
    with pytest.raises(StackError, match="has 4097 KiB, more than the 4096 of its own: it is not filled"):
        make("disk_full", {"disk": "request-log"}).inject(live)
    assert live.written() == []


FILLED: list[tuple[float, int, str]] = [(1.0, 200, "count=201"), (0.5, 200, "count=75"), (0.1, 200, "count=0")]


@pytest.mark.parametrize(("share", "used", "count"), FILLED)
def test_it_is_filled_up_to_its_share_and_emptied(share: float, used: int, count: str) -> None:
    live, fault = Disk(used), make("disk_full", {"disk": "request-log", "share": share})
    fault.inject(live)
    assert live.written() == ["of=/logs/.tocsin-fill", count]  # blocks of 4 KiB; one too many for a full one
    fault.heal(live)
    assert live.ran[-1] == ("rm", "-f", "/logs/.tocsin-fill", "/logs/.tocsin-try")


SEEN: list[tuple[float, Disk, str, str]] = [
    (
        1.0,
        Disk(1000, refuses=NO_ROOM),
        "present",
        "1000 of 1000 KiB of request-log are used; a block is refused: dd: error",
    ),
    (1.0, Disk(1000), "absent", "a block is written"),  # full by the figures, and yet there is room
    (1.0, Disk(10, refuses="dd: Permission denied"), "cannot_tell", "is refused: dd: Permission denied"),
    (0.5, Disk(500), "present", "500 of 1000 KiB"),
    (0.5, Disk(400), "absent", "400 of 1000 KiB"),
]


@pytest.mark.parametrize(("share", "live", "state", "words"), SEEN)
def test_what_can_be_written_there_is_believed(share: float, live: Disk, state: str, words: str) -> None:
    seen = make("disk_full", {"disk": "request-log", "share": share}).witness(live)
    assert seen.state == state and words in seen.detail
    assert ("rm", "-f", "/logs/.tocsin-try") in live.ran


def test_a_full_disk_blinds_what_its_role_brings_out_and_one_with_room_nothing() -> None:
    full: Any = make("disk_full", {"disk": "request-log"})
    assert full.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
    assert make("disk_full", {"disk": "request-log", "share": 0.9}).blinds(fault_stack()) == ()


def test_df_that_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Disk(1)
    monkeypatch.setattr(live, "run_in", lambda *_, **__: (1, "df: not there"))
    with pytest.raises(StackError, match="df of disk 'request-log' says 'df: not there'"):
        make("disk_full", {"disk": "request-log"}).witness(live)


def test_the_words_are_those_of_dd_here() -> None:
    done = subprocess.run(
        ["dd", "if=/dev/zero", "of=/dev/full", "bs=4k", "count=1"], capture_output=True, text=True, check=False
    )
    assert done.returncode and "no space left" in done.stderr.lower()
