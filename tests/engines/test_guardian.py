from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.clock import RunClock
from harness.engines.guardian import clean
from harness.engines.processes import carrying, kill_carriers
from harness.engines.run import sweep
from harness.journal import read_journal
from tests.engines.tiny_stack import make_stack, role

pytestmark = pytest.mark.e2e

HARNESS = """
    import json, sys, time
    from pathlib import Path
    from harness.engines.local import LocalEngine
    from tests.engines.tiny_stack import make_timeline, new_run
    from harness.stack import Stack

    folder = Path(sys.argv[1])
    stack = Stack.model_validate_json((folder / "stack.json").read_text()).at(folder / "stack")
    run, journal = new_run(folder)
    with LocalEngine().up(make_timeline(stack), run, journal) as live:
        live.guard("kill", {"role": "web"})
        print(json.dumps({"id": run.id, "folder": str(run.folder), "work": str(run.work)}), flush=True)
        time.sleep(60)
"""


class Harness:
    """A harness in a process of its own, with a tiny stack up."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        stack = make_stack(
            folder / "stack", {"web": role(declared=8000), "shop": role("deaf", declared=9000, stop_s=0.3)}
        )
        (folder / "stack.json").write_text(stack.model_dump_json(by_alias=True))
        (folder / "player.py").write_text(textwrap.dedent(HARNESS))
        found = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "player.py"), str(folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found},
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
        left = carrying(self.id)
        return not left and not self.work.exists(), f"pids {left}, folder {self.work.exists()}"


def test_after_a_sigkill_of_the_harness_nothing_is_left(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    assert len(carrying(harness.id)) == 2
    harness.kill()
    took_s = RunClock().wait_until(harness.gone, awaited="the guardian to clean up", within_s=10)
    assert took_s < 10
    RunClock().wait_until(
        lambda: ("guardian_cleaned" in (harness.folder / "journal.jsonl").read_text(), "no line"),
        awaited="the guardian's line",
        within_s=5,
    )
    fact = read_journal(harness.folder / "journal.jsonl")[-1]
    assert (fact.fact, fact.more["killed"], fact.more["left"], fact.more["broken"]) == (
        "guardian_cleaned",
        2,
        [],
        ["kill"],
    )


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
    dead, live = Harness(tmp_path / "dead"), Harness(tmp_path / "live")
    try:
        os.kill(live.guardian(), signal.SIGKILL)  # its harness lives, so it is not touched
        dead.kill(dead.guardian())
        assert len(carrying(dead.id)) == 2
        assert dead.id in sweep()
        assert dead.gone()[0]
        assert len(carrying(live.id)) == 2 and live.work.exists()
    finally:
        live.kill()
        kill_carriers(live.id, 5)
        sweep()
    assert live.gone()[0]


def test_a_torn_journal_line_stays_apart_from_the_guardians(tmp_path: Path) -> None:
    work, folder = tmp_path / "work", tmp_path / "run"
    work.mkdir()
    folder.mkdir()
    (work / "guard.jsonl").write_text('{"fault": "kill", "params": {}}\n{"faul')
    (folder / "journal.jsonl").write_text('{"fact": "a", "at": 1, "monotonic": 1}\n{"fact": "b", "at')
    assert clean(work, run_id="none-such", folder=folder) == 0
    facts = read_journal(folder / "journal.jsonl")
    assert [fact.fact for fact in facts] == ["a", "guardian_cleaned"]
    assert facts[-1].more["broken"] == ["kill"]
    assert not work.exists()
