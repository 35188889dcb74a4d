"""Faults of the request log: what their witnesses make of the lines and files that are there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering
from tocsin.harness.core.errors import StackError
from tocsin.harness.faults import make

GOOD = b'{"a": 1}\n'


class Logging(FakeLive):
    """Writes a line of `lines` for each request; `before` is what the file held."""

    def __init__(self, work: Path, *lines: bytes, before: bytes = GOOD, status: int = 200) -> None:
        super().__init__("127.0.0.1:1", (status,))
        self.work, self.lines = work, lines
        logs = self.stack.signals.logs
        assert logs
        logs = logs.model_copy(update={"files": "{work}/log*", "time": "@timestamp"})
        self.stack = self.stack.model_copy(update={"signals": self.stack.signals.model_copy(update={"logs": logs})})
        self.file = work / "log"
        self.file.write_bytes(before)

    def probe(self, count: int) -> list[int]:
        statuses = super().probe(count)
        with self.file.open("ab") as file:
            for number in range(count if self.lines else 0):
                file.write(self.lines[number % len(self.lines)])
        return statuses


def at(off_s: float) -> bytes:
    """Return a line that was written `off_s` seconds from now."""
    time_s = datetime.fromtimestamp(time.time() + off_s, UTC)
    return json.dumps({"@timestamp": time_s.isoformat()}).encode() + b"\n"


LONG = b'{"message": "' + b"x" * 16_384 + b'"}\n'
MALFORMED, OVERSIZE, BEHIND = {"share": 0.5}, {"share": 0.05, "kib": 16}, {"offset_s": -300}

SEEN: list[tuple[str, dict[str, Any], tuple[bytes, ...], str, str]] = [
    ("log_malformed", MALFORMED, (GOOD, b'{"a": \n'), "present", "10 of 20 lines"),
    ("log_malformed", MALFORMED, (GOOD, b"[]\n"), "present", "10 of 20 lines"),
    ("log_malformed", MALFORMED, (GOOD,), "absent", "0 of 20 lines"),
    ("log_malformed", MALFORMED, (), "cannot_tell", "left no line"),
    ("log_oversize", OVERSIZE, (GOOD, GOOD, LONG), "present", "16 KiB"),
    ("log_oversize", OVERSIZE, (GOOD,), "absent", "0 KiB"),
    ("log_oversize", OVERSIZE, (), "cannot_tell", "left no line"),
    ("log_stop", {}, (), "present", "5 of 5 requests were answered 200; 0 lines"),
    ("log_stop", {}, (GOOD,), "absent", "5 lines"),
    ("clock_offset", BEHIND, (GOOD, b"no\n"), "cannot_tell", "no line tells its time"),
    ("clock_offset", BEHIND, (), "cannot_tell", "left no line"),
]


@pytest.mark.parametrize(("kind", "params", "lines", "state", "detail"), SEEN)
def test_the_witness_reads_what_its_requests_left(
    kind: str, params: dict[str, Any], lines: tuple[bytes, ...], state: str, detail: str, tmp_path: Path
) -> None:
    live = Logging(tmp_path, *lines, before=b"old, and broken\n" + LONG)
    seen = make(kind, params).witness(live)
    assert seen.state == state and detail in seen.detail, seen.detail


CLOCKS = [(-300, -10, "present"), (300, 10, "present"), (300, -10, "cannot_tell"), (300, 0, "absent")]


@pytest.mark.parametrize(("offset_s", "off_s", "state"), CLOCKS)
def test_a_clock_is_read_in_the_lines(offset_s: float, off_s: float, state: str, tmp_path: Path) -> None:
    seen = make("clock_offset", {"offset_s": offset_s}).witness(Logging(tmp_path, at(off_s)))
    assert seen.state == state, seen.detail


@pytest.mark.parametrize("kind", ["log_malformed", "log_oversize", "log_stop", "clock_offset"])
def test_requests_that_fail_tell_nothing(kind: str, tmp_path: Path) -> None:
    params = {"log_malformed": MALFORMED, "log_oversize": OVERSIZE, "clock_offset": BEHIND}.get(kind, {})
    assert make(kind, params).witness(Logging(tmp_path, status=500)).state == "cannot_tell"


def renamed(live: Logging) -> None:
    live.file.rename(live.work / "log.1")
    live.file.touch()


def copied_and_cut(live: Logging) -> None:
    (live.work / "log.1").write_bytes(live.file.read_bytes())
    live.file.write_bytes(b"")


def nothing(live: Logging) -> None:
    return None


FILES = [
    ("log_rotate", renamed, "present"),
    ("log_rotate", copied_and_cut, "absent"),
    ("log_rotate", nothing, "absent"),
    ("log_truncate", copied_and_cut, "present"),
    ("log_truncate", renamed, "absent"),
    ("log_truncate", nothing, "absent"),
]


@pytest.mark.parametrize(("kind", "change", "state"), FILES)
def test_the_witness_compares_files_with_those_before(
    kind: str, change: Callable[[Logging], None], state: str, tmp_path: Path
) -> None:
    live, fault = Logging(tmp_path, b'{"later": 1}\n'), make(kind, {})
    with answering(200) as (live.at, calls):
        fault.inject(live)
        change(live)
        live.probe(2)
        fault.inject(live)
        assert fault.witness(live).state == state
        make(kind, {}).heal(live)
        assert fault.witness(live).state == "absent"
        assert [method for method, _, _ in calls] == ["PUT", "PUT", "DELETE"]
    live.lines = ()
    assert fault.witness(live).state == "cannot_tell"


@pytest.mark.parametrize("kind", ["log_rotate", "log_truncate"])
def test_without_a_file_nobody_can_tell(kind: str, tmp_path: Path) -> None:
    live, fault = Logging(tmp_path), make(kind, {})
    live.file.unlink()
    with answering(200) as (live.at, _):
        fault.inject(live)
    assert fault.witness(live).state == "cannot_tell"


def test_lines_in_a_new_file_count_from_its_beginning(tmp_path: Path) -> None:
    live = Logging(tmp_path, GOOD)
    live.file.rename(tmp_path / "log.1")
    assert make("log_malformed", MALFORMED).witness(live).detail == "0 of 20 lines are no JSON object"


def test_the_clock_is_off_by_wall_seconds() -> None:
    with answering(200) as (address, calls):
        make("clock_offset", BEHIND).inject(FakeLive(address))
    assert calls == [("PUT", "/faults/clock_offset", {"offset_s": -10.0})]


def test_a_stack_without_logs_is_told(tmp_path: Path) -> None:
    live = Logging(tmp_path)
    live.stack = live.stack.model_copy(update={"signals": live.stack.signals.model_copy(update={"logs": None})})
    with pytest.raises(StackError, match="log files"):
        make("log_stop", {}).witness(live)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("log_malformed", {"share": 0}), ("log_oversize", {"share": 0.06}), ("log_oversize", {"share": 0.01, "kib": 9}),
        ("clock_offset", {"offset_s": 29}), ("clock_offset", {"offset_s": 90_000}), ("log_stop", {"share": 1}),
    ],
)  # fmt: skip
def test_parameters_are_bounded(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        make(kind, params)
