from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.run_folders import FOLDERS, make_run
from tocsin.harness.engines.guardian import takedown
from tocsin.harness.engines.kernel.run_processes import remove_folder


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(takedown, "QUIET_S", 0.0)
    return folder


def test_a_run_has_an_id_folders_a_link_and_a_work_folder(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path / "runs")
    assert len(run.id) <= 24 and set(run.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert run.folder == tmp_path / "runs" / "drill" / run.id
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(FOLDERS)
    assert (tmp_path / "runs/drill/latest").resolve() == run.folder.resolve()
    assert run.work == tmp_path / "tmp" / f"tocsin-{run.id}"
    assert run.work.stat().st_mode & 0o777 == 0o755
    run.close()


def test_latest_follows_and_ids_differ(tmp_path: Path) -> None:
    runs = [make_run("drill", runs=tmp_path / "runs") for _ in range(5)]
    assert len({run.id for run in runs}) == 5
    assert os.readlink(tmp_path / "runs/drill/latest") == runs[-1].id
    for run in runs:
        run.close()


def test_close_removes_the_work_folder_and_may_be_repeated(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path / "runs")
    run.close()
    run.close()
    assert not run.work.exists() and run.folder.exists()


@pytest.mark.parametrize(("keep", "left"), [(2, 2), (1, 1), (0, 1), (9, 5)])
def test_old_run_directories_are_pruned_and_all_else_stays(tmp_path: Path, keep: int, left: int) -> None:
    shelf = tmp_path / "runs" / "drill"
    for day in range(1, 5):
        (shelf / f"20010{day}-000000-abcd").mkdir(parents=True)
    (shelf / "signed-report").mkdir()
    run = make_run("drill", runs=tmp_path / "runs", keep=keep)
    run.close()
    names = sorted(path.name for path in shelf.iterdir() if not path.is_symlink())
    assert len(names) == left + 1
    assert {run.id, "signed-report"} <= set(names)


def test_a_run_that_still_runs_is_not_pruned(tmp_path: Path) -> None:
    first = make_run("drill", runs=tmp_path / "runs", keep=1)
    os.rename(first.folder, first.folder.with_name("200101-000000-abcd"))
    os.rename(first.work, first.work.with_name("tocsin-200101-000000-abcd"))
    second = make_run("drill", runs=tmp_path / "runs", keep=1)
    assert first.folder.with_name("200101-000000-abcd").exists()
    first.lock.close()
    second.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StackError, match="Cannot make a folder for the run: .*runs"):
        make_run("drill", runs=tmp_path / "runs")


def test_a_start_sweeps_away_what_dead_runs_left(tmp_path: Path) -> None:
    dead = make_run("drill", runs=tmp_path / "runs")
    dead.lock.close()
    run = make_run("drill", runs=tmp_path / "runs")
    assert [swept.run_id for swept in run.swept] == [dead.id]
    assert not dead.work.exists() and run.work.exists()
    run.close()
    dead.close()


def test_a_lock_is_shared(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path / "runs")
    with (run.work / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with (run.work / "lock").open("rb") as third, pytest.raises(BlockingIOError):
            fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
    run.close()


def test_removing_says_whether_something_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert remove_folder(tmp_path / "a")
    assert remove_folder(tmp_path / "a")
    (tmp_path / "a").mkdir()
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    assert not remove_folder(tmp_path / "a", within_s=0.05)
