"""What a second Ctrl-C says: which faults are unhealed, which stack is up, and who undoes it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.harness.cli.interrupt_notice import sentence, under_way

BROKEN = '{"fault": "outage", "kind": "kill", "params": {"role": "model"}, "outlives": false, "at": 1}\n'
HEALED = '{"healed": "outage", "at": 2}\n'
SLOW = '{"fault": "slow", "kind": "model_slow", "params": {}, "outlives": false, "at": 3}\n'


def told(work: Path) -> str:
    run: Any = SimpleNamespace(work=work, guard=SimpleNamespace(process=SimpleNamespace(pid=4711)))
    with under_way(run, "reference"):
        return sentence()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("", "no fault is unhealed"),
        (BROKEN, "not yet healed: outage (kill)"),
        (BROKEN + SLOW, "not yet healed: outage (kill), slow (model_slow)"),
        (BROKEN + SLOW + HEALED, "not yet healed: slow (model_slow)"),
        (BROKEN + HEALED + '{"fault": "ou', "no fault is unhealed"),
    ],
)
def test_it_reads_the_guards_record(tmp_path: Path, record: str, words: str) -> None:
    (tmp_path / "stack.json").write_text("{}")
    (tmp_path / "guard.jsonl").write_text(record)
    said = told(tmp_path)
    assert f"The stack reference is up; {words}. After a third signal, the guardian (pid 4711) heals" in said


def test_before_a_stack_is_up_only_a_folder_is_left(tmp_path: Path) -> None:
    assert f"No stack is up yet. After a third signal, the guardian (pid 4711) removes the folder {tmp_path}" in told(
        tmp_path
    )


def test_without_a_drill_nothing_is_named(tmp_path: Path) -> None:
    assert sentence().endswith("A third signal leaves that to the guardian.")
    assert told(tmp_path / "gone").endswith("A third signal leaves that to the guardian.")


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("compose", "the guardian (pid 4711) heals and takes it down within 18 s."),
        ("external", "is external and stays up; not yet healed: outage (kill). After a third signal, the guardian"),
    ],
)
def test_what_becomes_of_the_stack_depends_on_whose_it_is(tmp_path: Path, engine: str, words: str) -> None:
    (tmp_path / "stack.json").write_text(f'{{"engine": "{engine}"}}')
    (tmp_path / "guard.jsonl").write_text(BROKEN)
    assert words in told(tmp_path)
