"""Every way out of a drill on real servers: what it says, what code it ends with, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.drills import Change, Played, carriers, copy_stack, finished, start

pytestmark = pytest.mark.e2e


def drill(runs: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    """Start the `healthy` drill; its half hour takes 30 s at speed 60."""
    changed = {**os.environ, **environment} if environment else None
    return start(runs, "run", "scenarios/healthy.yaml", "--speed", "60", *more, environment=changed)


def until(seen: Callable[[], object], within_s: float, what: str) -> None:
    """Wait for an event, bounded."""
    deadline = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.05)


def run_folder(runs: Path) -> Path:
    """Return the run directory of the drill that was just started, as soon as there is one."""
    link = runs / "healthy" / "latest"
    until(lambda: (link / "journal.jsonl").exists(), 30, "a run directory")
    return link.resolve()


def noted(folder: Path, fact: str) -> bool:
    """Tell whether the journal holds a fact."""
    return f'"fact": "{fact}"' in (folder / "journal.jsonl").read_text()


def nothing_left(run_id: str, within_s: float) -> None:
    """Wait until no process and no work folder of the run is left."""
    until(lambda: not carriers(run_id), within_s, f"the processes of {run_id} to end")
    until(lambda: not work_of(run_id).exists(), within_s, f"the work folder of {run_id} to go")


def work_of(run_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"tocsin-{run_id}"


SIGNALS = [
    (signal.SIGINT, "stack_up", 130, "interrupted"),
    (signal.SIGINT, "phase_started", 130, "interrupted"),
    (signal.SIGTERM, "phase_started", 143, "interrupted"),
    (signal.SIGINT, "run_started", 130, "interrupted"),
]


@pytest.mark.parametrize(
    ("number", "after", "code", "word"), SIGNALS, ids=[f"{n.name} after {a}" for n, a, *_ in SIGNALS]
)
def test_a_signal_ends_a_drill_in_order(
    tmp_path: Path, number: signal.Signals, after: str, code: int, word: str
) -> None:
    process = drill(tmp_path)
    folder = run_folder(tmp_path)
    until(lambda: noted(folder, after), 60, after)
    process.send_signal(number)
    began = time.monotonic()
    played = finished(process, tmp_path, "healthy", within_s=30)
    assert time.monotonic() - began < 20
    assert played.code == code, played.output
    assert "Traceback" not in played.output
    assert word in json.loads((folder / "run.json").read_text())["outcome"]
    assert {verdict["answer"] for verdict in played.verdicts} <= {"unknown", "pass"} and "unknown" in {
        v["answer"] for v in played.verdicts
    }
    nothing_left(folder.name, 1)


@pytest.mark.parametrize("after", ["run_started", "phase_started"])
def test_after_a_sigkill_the_guardian_cleans_up(tmp_path: Path, after: str) -> None:
    process = drill(tmp_path)
    folder = run_folder(tmp_path)
    until(lambda: noted(folder, after), 60, after)
    process.kill()
    process.communicate(timeout=10)
    nothing_left(folder.name, 10)
    judged = subprocess.run(start_judge(folder), capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 2, judged.stdout + judged.stderr


def start_judge(folder: Path) -> list[str]:
    """Return the command that judges a run directory."""
    from tests.e2e.drills import TOCSIN

    return [*TOCSIN, "judge", str(folder)]


def test_a_server_that_dies_in_play_is_named(tmp_path: Path) -> None:
    process = drill(tmp_path)
    folder = run_folder(tmp_path)
    until(lambda: noted(folder, "phase_started"), 60, "the first phase")
    prometheus = [pid for pid in carriers(folder.name) if "prometheus" in psutil.Process(pid).name()]
    servers = [
        pid
        for pid in prometheus
        if "alertmanager" not in psutil.Process(pid).name() and "node" not in psutil.Process(pid).name()
    ]
    assert len(servers) == 1
    os.kill(servers[0], signal.SIGKILL)
    played = finished(process, tmp_path, "healthy", within_s=60)
    assert played.code == 2, played.output
    assert "prometheus died unasked" in " ".join(played.output.split())
    nothing_left(folder.name, 1)


STACKS = [
    (
        "Elasticsearch that never turns green",
        Change(
            file="stack.yaml",
            old='{http: "/_cluster/health?wait_for_status=yellow&timeout=1s", within_s: 60}',
            new='{http: "/_cluster/health?wait_for_nodes=2&timeout=1s", within_s: 20}',
        ),
        ("elasticsearch", "20", "408"),
    ),
    (
        "a server that dies while starting",
        Change(
            file="prometheus/prometheus.yml",
            old="evaluation_interval: 15s",
            new="evaluation_interval: 15s\n  no_such_key: 1",
        ),
        ("prometheus", "ended", "no_such_key"),
    ),
]


@pytest.mark.parametrize(("name", "change", "words"), STACKS, ids=[name for name, *_ in STACKS])
def test_a_stack_that_does_not_come_up_says_why(
    tmp_path: Path, name: str, change: Change, words: tuple[str, ...]
) -> None:
    stack = copy_stack(tmp_path / "stack", [change])
    played = finished(drill(tmp_path / "runs", "--stack", str(stack)), tmp_path / "runs", "healthy", within_s=90)
    assert played.code == 2, played.output
    for word in words:
        assert word in played.output
    assert "Traceback" not in played.output
    assert played.folder and (played.folder / "stack-logs").is_dir()
    nothing_left(played.folder.name, 1)


def test_a_missing_program_is_named_with_the_next_move(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("git", "sh"):
        if found := shutil.which(tool):
            (bare / tool).symlink_to(found)
    process = drill(tmp_path / "runs", PATH=str(bare), TOCSIN_CACHE=str(tmp_path / "empty"))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    for word in ("prometheus", "alertmanager", "elasticsearch", "tocsin setup"):
        assert word in output
    assert "Traceback" not in output


def test_two_drills_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    running = [start(folder, "run", "scenarios/model_down.yaml", "--speed", "30") for folder in folders]
    played: list[Played] = [
        finished(process, folder, "model_down", 200) for process, folder in zip(running, folders, strict=True)
    ]
    assert [one.code for one in played] == [0, 0], "\n".join(one.output for one in played)
    ids = {one.folder.name for one in played if one.folder}
    assert len(ids) == 2
    for run_id in ids:
        nothing_left(run_id, 1)


def test_judging_a_copy_again_gives_the_identical_verdicts(good: Played, tmp_path: Path) -> None:
    assert good.code == 0 and good.folder, good.output
    written = json.loads((good.folder / "verdicts.json").read_text())
    copy = tmp_path / "copy"
    shutil.copytree(good.folder, copy)
    (copy / "verdicts.json").unlink()
    judged = subprocess.run([*start_judge(copy), "--json"], capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert json.loads(judged.stdout)["verdicts"] == written["verdicts"]
