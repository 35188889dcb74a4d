from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common import run_folders as run_module
from tocsin.harness.engines.common.run_folders import make_run
from tocsin.harness.engines.kernel import run_processes
from tocsin.harness.engines.kernel.run_processes import RUN_ID, kill_run, pids_of_run, send_signal

ID = "261122-000000-0001"


def sleeper(run_id: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(60)"],
        env={RUN_ID: run_id},
        stdout=subprocess.PIPE,
    )
    assert process.stdout and process.stdout.readline()
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    process.communicate()
    return process.returncode


def test_only_processes_of_the_run_are_found_and_killed() -> None:
    mine, other = sleeper(ID), sleeper(f"{ID}-and-more")
    try:
        assert pids_of_run(ID) == [mine.pid]
        assert kill_run(ID, 5, reap=lambda: mine.poll() and None) == (1, [])
        assert ended(mine) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        ended(other)


def test_a_zombie_is_not_a_process_any_more() -> None:
    process = sleeper(ID)
    process.kill()
    assert kill_run(ID, 5)[1] == []  # it was not collected yet
    assert ended(process) == -signal.SIGKILL


def test_whoever_looks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    process = sleeper(ID)
    try:
        monkeypatch.setattr(os, "getpid", lambda: process.pid)
        assert pids_of_run(ID) == []
    finally:
        process.kill()
        ended(process)


def test_what_cannot_be_killed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_processes, "pids_of_run", lambda _: [999_999_999])
    assert kill_run(ID, within_s=0.05) == (1, [999_999_999])


def test_without_proc_ps_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_processes, "_PROC", Path("/nowhere"))
    listing = f"  41 python -m x {RUN_ID}={ID} A=1\n  42 python {RUN_ID}={ID}-more\n  43 vi\n"
    answer = subprocess.CompletedProcess(args=[], returncode=0, stdout=listing)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert pids_of_run(ID) == [41]


@pytest.mark.parametrize("group", [True, False])
def test_a_signal_to_nobody_is_nothing(group: bool) -> None:
    send_signal(999_999_999, signal.SIGTERM, group=group)


def test_a_guardian_that_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StackError, match="The guardian did not start; see .*guardian.log"):
        make_run("drill", runs=tmp_path)


def test_a_guardian_that_is_not_needed_leaves_everything_and_may_be_dismissed_twice(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path)
    guard = run.guard
    guard.dismiss()
    guard.dismiss()
    assert guard.process.returncode == 0
    assert run.work.exists() and not (run.folder / "journal.jsonl").exists()
    run.close()


def test_the_guardian_is_there_before_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = []
    make = run_module._make_work
    monkeypatch.setattr(run_module, "_make_work", lambda work: guarded.append(carrying_guardians(work)) or make(work))
    make_run("drill", runs=tmp_path).close()
    assert guarded == [1]


def carrying_guardians(work: Path) -> int:
    """Return how many guardians watch for this work folder."""
    wanted = os.fsencode(work)
    return sum(wanted in command_line(pid) and b"guardian" in command_line(pid) for pid in Path("/proc").glob("[0-9]*"))


def command_line(process: Path) -> bytes:
    """Return the command line of a process, empty when it has just ended."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_needed_guardian_cleans_up_before_it_goes(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path)
    guard = run.guard
    guard.needed = True
    process = sleeper(run.id)
    guard.dismiss()
    assert guard.process.returncode == 0
    assert ended(process) == -signal.SIGKILL
    assert not run.work.exists()
    run.close()


def test_a_guardian_that_was_killed_is_no_trouble(tmp_path: Path) -> None:
    run = make_run("drill", runs=tmp_path)
    guard = run.guard
    guard.process.kill()
    guard.process.wait()
    guard.dismiss()
    run.close()
