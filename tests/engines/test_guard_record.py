from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.harness.engines.guardian.guard_record import GuardRecord, RecordedFault

KILL = '{"fault": "a", "kind": "kill", "params": {"role": "web"}, "outlives": true, "at": 1}'
OLD = '{"fault": "b", "params": {"kind": "pause"}, "at": 1}'
LINES = [
    ("nothing", [], []),
    ("one", [KILL], ["a"]),
    ("healed", [KILL, '{"healed": "a", "at": 2}'], []),
    ("begun again after its heal", [KILL, '{"healed": "a", "at": 2}', KILL], ["a"]),
    ("twice counts once, as the newest", [KILL, OLD, KILL], ["b", "a"]),
    ("healed but never broken", ['{"healed": "z", "at": 2}', KILL], ["a"]),
    ("torn at the end", [KILL, '{"fault": "b", "ki'], ["a"]),
    ("torn in the middle", ['{"fault": "b", "ki', KILL], ["a"]),
    ("no objects", ["[1]", "null", '"fault"', KILL], ["a"]),
    ("no text", ["\x00\x00", KILL], ["a"]),
    ("names that are none", ['{"fault": 7}', '{"healed": ["a"]}', KILL], ["a"]),
]


@pytest.mark.parametrize(("name", "lines", "left"), LINES, ids=[name for name, *_ in LINES])
def test_what_was_broken_and_not_healed(tmp_path: Path, name: str, lines: list[str], left: list[str]) -> None:
    path = tmp_path / "guard.jsonl"
    path.write_text("\n".join(lines))
    assert [fault.name for fault in GuardRecord(path).unhealed()] == left


def test_a_fault_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = GuardRecord(tmp_path / "guard.jsonl")
    record.write_injection("outage", kind="kill", params={"role": "web"}, outlives=True, at=1.0)
    record.write_injection("slow", kind="model_slow", params={"delay_ms": 5}, outlives=False, at=2.0)
    record.write_heal("slow", at=3.0)
    assert record.unhealed() == (RecordedFault(name="outage", kind="kill", params={"role": "web"}, outlives=True),)


def test_what_is_written_behind_a_torn_line_can_be_read(tmp_path: Path) -> None:
    record = GuardRecord(tmp_path / "guard.jsonl")
    record.path.write_text(KILL + '\n{"healed": "')
    record.write_heal("a", at=2.0)
    assert record.unhealed() == ()


def test_no_record_is_nothing_broken(tmp_path: Path) -> None:
    assert GuardRecord(tmp_path / "none").unhealed() == ()
    assert GuardRecord(tmp_path).unhealed() == ()
