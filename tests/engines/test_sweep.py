from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tocsin.harness.cli import sweep as verb
from tocsin.harness.engines.common.run_folders import make_run
from tocsin.harness.engines.guardian import guardian, takedown
from tocsin.harness.engines.guardian import sweep as sweeping
from tocsin.harness.engines.guardian.guard_record import GuardRecord
from tocsin.harness.engines.guardian.sweep import SweptRun, sweep


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(takedown, "QUIET_S", 0.0)
    return folder


def swept() -> list[str]:
    return [one.run_id for one in sweep()]


def test_sweep_takes_the_dead_and_leaves_the_living(tmp_path: Path) -> None:
    living = make_run("drill", runs=tmp_path / "runs")
    dead = make_run("drill", runs=tmp_path / "runs")
    dead.lock.close()
    assert swept() == [dead.id]
    assert living.work.exists() and not dead.work.exists() and dead.folder.exists()
    assert sweep() == []
    living.close()


def test_sweep_leaves_what_is_not_a_run_of_ours(own_temporary_folder: Path) -> None:
    named = own_temporary_folder / "tocsin-200101-000000-abcd"
    (own_temporary_folder / "tocsin-notes").mkdir()
    target = own_temporary_folder / "precious"
    target.mkdir()
    named.symlink_to(target)
    assert sweep() == []
    assert target.exists() and (own_temporary_folder / "tocsin-notes").exists()


def test_sweep_leaves_a_run_that_is_just_being_made(own_temporary_folder: Path) -> None:
    young = own_temporary_folder / "tocsin-200101-000000-abcd"
    young.mkdir()
    assert sweep() == []
    os.utime(young, (0, 0))
    assert swept() == ["200101-000000-abcd"]
    assert not young.exists()


def test_any_holder_of_the_lock_keeps_a_run_alive(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path / "runs")
    guardian = os.dup(run.lock.fileno())  # as a child does that inherits it
    run.lock.close()
    assert sweep() == []
    os.close(guardian)
    assert swept() == [run.id]


def dead_work(folder: Path, *, outlives: bool = True) -> Path:
    """A work folder whose harness is dead, with a fault in its record."""
    work = folder / "tocsin-200101-000000-abcd"
    work.mkdir()
    (work / "lock").touch()
    GuardRecord(work / "guard.jsonl").write_injection(
        "full", kind="kill", params={"role": "web"}, outlives=outlives, at=1.0
    )
    return work


@pytest.mark.e2e
def test_what_cannot_be_undone_is_named_and_keeps_its_records(own_temporary_folder: Path) -> None:
    work = dead_work(own_temporary_folder)  # without a stack.json nothing tells how to heal
    (one,) = sweep()
    assert one.run_id == "200101-000000-abcd" and one.healed == ()
    assert len(one.left) == 1 and "Fault full is not healed: undo ended" in one.left[0]
    assert "No stack can be reached" in one.left[0]
    assert work.exists()


def test_what_ends_with_the_stack_needs_no_undoing(own_temporary_folder: Path) -> None:
    work = dead_work(own_temporary_folder, outlives=False)
    assert sweep() == [SweptRun(run_id="200101-000000-abcd")]
    assert not work.exists()


def test_a_stack_that_stays_up_keeps_the_records(own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = dead_work(own_temporary_folder, outlives=False)
    monkeypatch.setattr(guardian, "take_down", lambda *_: (2, ["Container c is left."]))
    assert sweep() == [SweptRun(run_id="200101-000000-abcd", killed=2, left=("Container c is left.",))]
    assert work.exists()


SAID = [
    ([], 0, "Nothing was left behind.\n"),
    ([SweptRun(run_id="a")], 0, "Cleaned up after run a.\n"),
    (
        [SweptRun(run_id="a", healed=("x", "y"), killed=1), SweptRun(run_id="b", killed=3)],
        0,
        "Cleaned up after run a (1 process ended; healed: x, y).\nCleaned up after run b (3 processes ended).\n",
    ),
    (
        [SweptRun(run_id="a", left=("Disk d is left.",)), SweptRun(run_id="b")],
        70,
        "Cleaned up in part after run a.\nRun a: Disk d is left.\n"
        "Something is left: run `tocsin sweep` again, as the user who ran the drill.\nCleaned up after run b.\n",
    ),
]


@pytest.mark.parametrize(("found", "code", "text"), SAID, ids=["nothing", "one", "two", "left"])
def test_the_verb_says_what_was_undone_and_what_was_not(
    found: list[SweptRun], code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweeping, "sweep", lambda: found)
    assert verb.sweep() == code
    assert capsys.readouterr().out == text
