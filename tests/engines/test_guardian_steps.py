"""What the guardian does, in which order, when something cannot be undone: a table without processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tocsin.harness.core.journal import read_journal
from tocsin.harness.engines.guardian import guardian
from tocsin.harness.engines.guardian.guard_record import GuardRecord
from tocsin.harness.engines.guardian.guardian import clean_up, heal_only, note_in_journal


class Undoing:
    """Stands for the undo process: each call heals the names of its turn; `None` for one that hangs."""

    def __init__(self, record: Path, *turns: Sequence[str] | None) -> None:
        self.record, self.turns, self.calls = GuardRecord(record), list(turns), []

    def __call__(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        self.calls.append("undo" + "".join(f" {word}" for word in argv if word in ("--outliving", "--down")))
        healed = self.turns.pop(0)
        if healed is None:
            raise subprocess.TimeoutExpired(argv, options["timeout"], output=b'{"healed": "half a li')
        lines = []
        for fault in self.record.unhealed():
            if fault.name in healed:
                self.record.write_heal(fault.name, at=2.0)
                lines.append({"healed": fault.name})
            elif fault.outlives or "--outliving" not in argv:
                lines.append({"left": fault.name, "why": "OSError: busy"})
        text = "\n".join(json.dumps(line) for line in lines) + "\nnoise\n"
        return subprocess.CompletedProcess(argv, 0, text.encode(), b"")


FULL = {"kind": "disk_full", "params": {}, "outlives": True}
KILL = {"kind": "kill", "params": {}, "outlives": False}
DOWN, AGAIN = "undo --outliving", "undo --outliving --down"
STEPS = [
    ("nothing broken", {}, [], (), ["down"], (), ()),
    ("what ends with the stack", {"a": KILL}, [], (), ["down"], (), ()),
    ("healed at once", {"a": FULL, "b": KILL}, [["a"]], (), [DOWN, "down"], ("a",), ()),
    ("healed without processes", {"a": FULL, "b": FULL}, [["a"], ["b"]], (), [DOWN, "down", AGAIN], ("a", "b"), ()),
    ("hangs, then healed", {"a": FULL}, [None, ["a"]], (), [DOWN, "down", AGAIN], ("a",), ()),
    ("never healed", {"a": FULL}, [[], []], (), [DOWN, "down", AGAIN], (), ("Fault a is not healed: OSError: busy.",)),
    (
        "hangs for ever",
        {"a": FULL},
        [None, None],
        (),
        [DOWN, "down", AGAIN],
        (),
        ("Fault a is not healed: undo took longer than 1 s.",),
    ),
    ("stays up", {}, [], ("Container c is left.",), ["down"], (), ("Container c is left.",)),
]


@pytest.mark.parametrize(
    ("name", "faults", "turns", "stays", "calls", "healed", "left"), STEPS, ids=[s[0] for s in STEPS]
)
def test_what_outlives_is_undone_before_and_after_the_stack_goes_down(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    faults: dict[str, dict[str, Any]],
    turns: list[Any],
    stays: tuple[str, ...],
    calls: list[str],
    healed: tuple[str, ...],
    left: tuple[str, ...],
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    undoing = Undoing(work / "guard.jsonl", *turns)
    for fault, line in faults.items():
        undoing.record.write_injection(fault, **line, at=1.0)
    monkeypatch.setattr(guardian.subprocess, "run", undoing)
    down = lambda *_: undoing.calls.append("down") or (2, list(stays))  # noqa: E731
    monkeypatch.setattr(guardian, "take_down", down)
    cleaned = clean_up(work, run_id="r")
    assert undoing.calls == calls
    assert (cleaned.broken, cleaned.healed, cleaned.killed, cleaned.left) == (tuple(faults), healed, 2, left)
    assert cleaned.complete is cleaned.removed is (not work.exists()) is (not left)


def test_all_is_healed_where_the_stack_is_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undoing = Undoing(tmp_path / "mine.jsonl", ["a"])
    undoing.record.write_injection("a", **KILL, at=1.0)
    undoing.record.write_injection("b", **FULL, at=1.0)
    monkeypatch.setattr(guardian.subprocess, "run", undoing)
    monkeypatch.setattr(guardian, "take_down", lambda *_: pytest.fail("their stack was taken down"))
    cleaned = heal_only(tmp_path, undoing.record.path)
    assert (cleaned.broken, cleaned.healed) == (("a", "b"), ("a",))
    assert cleaned.left == ("Fault b is not healed: OSError: busy.",) and tmp_path.exists()
    assert undoing.calls == ["undo"]
    assert heal_only(tmp_path, tmp_path / "none").complete


def test_a_python_that_cannot_be_started_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no memory")

    record = GuardRecord(tmp_path / "guard.jsonl")
    record.write_injection("a", **KILL, at=1.0)
    monkeypatch.setattr(guardian.subprocess, "run", fails)
    assert heal_only(tmp_path, record.path).left == ("Fault a is not healed: undo could not be started: no memory.",)


JOURNALS = [
    (None, ["guardian_cleaned"]),
    ("", ["guardian_cleaned"]),
    ('{"fact": "a", "at": 1, "monotonic": 1}\n', ["a", "guardian_cleaned"]),
    ('{"fact": "a", "at": 1, "monotonic": 1}\n{"fact": "b", "at', ["a", "guardian_cleaned"]),
]


@pytest.mark.parametrize(("before", "facts"), JOURNALS, ids=["none", "empty", "whole", "torn"])
def test_the_journal_tells_of_it(tmp_path: Path, before: str | None, facts: list[str]) -> None:
    journal = tmp_path / "journal.jsonl"
    if before is not None:
        journal.write_text(before)
    note_in_journal(tmp_path, heal_only(tmp_path, tmp_path / "none"))
    assert [fact.fact for fact in read_journal(journal)] == facts


def test_a_run_directory_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    note_in_journal(tmp_path / "gone", heal_only(tmp_path, tmp_path / "none"))
    assert not (tmp_path / "gone").exists()


def test_the_guardian_needs_the_standard_library_only() -> None:
    script = "import sys; sys.path.append(sys.argv[1]); import tocsin.harness.engines.guardian.guardian as _;"
    script += "import tocsin.harness.engines.compose.removal"
    project = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-I", "-S", "-c", script, str(project)], check=True, timeout=30)
