from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.tiny_stack import make_stack, role
from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.journal import read_journal
from tocsin.harness.engines.common.attach import attach
from tocsin.harness.engines.guardian.guard_record import GuardRecord
from tocsin.harness.engines.guardian.sweep import sweep
from tocsin.harness.engines.kernel.run_processes import kill_run, pids_of_run

pytestmark = pytest.mark.e2e

HARNESS = """
    import json, sys, time
    from pathlib import Path
    from tocsin.harness.engines.local.engine import LocalEngine
    from tests.engines.tiny_stack import make_timeline, new_run
    from tocsin.harness.declarations.stack import Stack

    folder = Path(sys.argv[1])
    stack = Stack.model_validate_json((folder / "stack.json").read_text()).at(folder / "stack")
    run, journal = new_run(folder)
    with LocalEngine().up(make_timeline(stack), run, journal) as live:
        for fault in json.loads(sys.argv[2]):
            live.guard(**fault)
            live.stop("web", kill=True)
        print(json.dumps({"id": run.id, "folder": str(run.folder), "work": str(run.work)}), flush=True)
        time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs made elsewhere sweep what is dead in their temporary folder."""
    with tempfile.TemporaryDirectory(prefix="guardian-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


class Harness:
    """A harness in a process of its own, with a tiny stack up."""

    def __init__(self, folder: Path, *faults: dict[str, object]) -> None:
        folder.mkdir(exist_ok=True)

        stack = make_stack(
            folder / "stack", {"web": role(declared=8000), "shop": role("deaf", declared=9000, stop_s=0.3)}
        )
        (folder / "stack.json").write_text(stack.model_dump_json(by_alias=True))
        (folder / "player.py").write_text(textwrap.dedent(HARNESS))
        found = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "player.py"), str(folder), json.dumps(faults)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found, "TMPDIR": str(tempfile.gettempdir())},
        )
        assert self.process.stdout
        told = json.loads(self.process.stdout.readline())
        self.id, self.folder, self.work = told["id"], Path(told["folder"]), Path(told["work"])

    def guardian(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (guardian,) = [int(pid) for pid in children if b"guardian" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return guardian

    def kill(self, *pids: int) -> None:
        for pid in (*pids, self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def gone(self) -> tuple[bool, str]:
        left = pids_of_run(self.id)
        return not left and not self.work.exists(), f"pids {left}, folder {self.work.exists()}"


def cleaned(harness: Harness) -> dict[str, object]:
    """Wait until the guardian has cleaned up and written that down."""
    RunClock().wait_until(harness.gone, awaited="the guardian to clean up", within_s=10)
    journal = harness.folder / "journal.jsonl"
    written = lambda: ("guardian_cleaned" in journal.read_text(), "no line")  # noqa: E731
    RunClock().wait_until(written, awaited="the guardian's line", within_s=5)
    return dict(read_journal(journal)[-1].more)


KILLED = {"kind": "kill", "params": {"role": "web"}}
AFTER = [
    ([], [], [], 2),
    ([{"fault": "gone", **KILLED, "outlives": False}], ["gone"], [], 1),
    ([{"fault": "stays", **KILLED, "outlives": True}], ["stays"], ["stays"], 2),  # its heal starts the server again
]


@pytest.mark.parametrize(("faults", "broken", "healed", "killed"), AFTER, ids=["none", "ends with it", "outlives it"])
def test_after_a_sigkill_what_outlives_is_undone_and_nothing_is_left(
    tmp_path: Path, faults: list[dict[str, object]], broken: list[str], healed: list[str], killed: int
) -> None:
    harness = Harness(tmp_path, *faults)
    assert len(pids_of_run(harness.id)) == 2 - len(faults)
    began = time.monotonic()
    harness.kill()
    done = cleaned(harness)
    assert time.monotonic() - began < 10
    assert (done["broken"], done["healed"], done["killed"], done["left"]) == (broken, healed, killed, [])


def test_the_run_directory_may_be_gone(tmp_path: Path) -> None:
    harness = Harness(tmp_path, {"fault": "stays", **KILLED, "outlives": True})
    shutil.rmtree(harness.folder)
    harness.kill()
    RunClock().wait_until(harness.gone, awaited="the guardian to clean up", within_s=10)
    assert not harness.folder.exists()


def test_signals_do_not_end_the_guardian(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    guardian = harness.guardian()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guardian, number)
    assert os.getsid(guardian) == guardian
    harness.kill()
    RunClock().wait_until(harness.gone, awaited="the guardian to clean up", within_s=10)


def test_an_interrupt_of_the_harness_takes_the_stack_down(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    harness.process.send_signal(signal.SIGINT)
    harness.process.communicate(timeout=10)
    assert harness.gone()[0]
    assert read_journal(harness.folder / "journal.jsonl")[-1].fact == "stack_down"


def test_the_next_start_sweeps_what_the_guardian_could_not(tmp_path: Path) -> None:
    dead = Harness(tmp_path / "dead", {"fault": "stays", **KILLED, "outlives": True})
    live = Harness(tmp_path / "live")
    try:
        os.kill(live.guardian(), signal.SIGKILL)  # its harness lives, so it is not touched
        dead.kill(dead.guardian())
        assert len(pids_of_run(dead.id)) == 1
        (swept,) = sweep()
        assert (swept.run_id, swept.healed, swept.killed, swept.left) == (dead.id, ("stays",), 2, ())
        assert dead.gone()[0]
        assert read_journal(dead.folder / "journal.jsonl")[-1].more["healed"] == ["stays"]
        assert len(pids_of_run(live.id)) == 2 and live.work.exists()
    finally:
        live.kill()
        kill_run(live.id, 5)
        sweep()
    assert live.gone()[0]


HOLDER = """
    import json, sys, time
    from pathlib import Path
    from tocsin.harness.engines.common.attach import attach
    from tocsin.harness.engines.guardian.launcher import Guardian

    work, mine = Path(sys.argv[1]), Path(sys.argv[2])
    record = mine / "guard.jsonl"
    guard = Guardian.start("holder", work=work, folder=mine, record=record)
    live = attach(work, record=record)
    live.guard("down", kind="kill", params={"role": "web"}, outlives=False)
    live.stop("web", kill=True)
    print("broken", flush=True)
    time.sleep(60)
"""


def test_a_stack_of_somebody_else_is_healed_and_left_alone(tmp_path: Path) -> None:
    """A holder breaks a role of the owner's stack and is killed: its guardian starts the role again, and no more."""
    owner = Harness(tmp_path / "owner")
    mine = tmp_path / "mine"
    (mine / "stack-logs").mkdir(parents=True)
    (mine / "holder.py").write_text(textwrap.dedent(HOLDER))
    before = set(pids_of_run(owner.id))
    holder = subprocess.Popen(
        [sys.executable, str(mine / "holder.py"), str(owner.work), str(mine)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert holder.stdout and holder.stdout.readline() == b"broken\n"
        live = attach(owner.work)
        assert not live.alive("web") and live.alive("shop")
        holder.kill()
        holder.communicate()
        RunClock().wait_until(
            lambda: (not GuardRecord(mine / "guard.jsonl").unhealed(), "not healed"), awaited="the heal", within_s=10
        )
        again = attach(owner.work)
        assert again.alive("web") and again.alive("shop")
        assert len(before & set(pids_of_run(owner.id))) == 1 and owner.work.exists()
    finally:
        holder.kill()
        owner.kill()
    cleaned(owner)
