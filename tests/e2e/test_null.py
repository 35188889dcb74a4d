"""Drills on the stack `null`: no monitoring, up at once; what becomes of faults that lie or that cannot be healed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.drills import ROOT, Played, carriers, finished, start
from tests.e2e.test_ways_out import noted, nothing_left, until

pytestmark = pytest.mark.e2e

SCENARIO = """\
version: 1
name: tiny
summary: One prediction in two fails for a minute.
stack: "null"
traffic: {rate_per_s: 50, arrivals: constant}
timeline:
  - {phase: baseline, for: 30s}
  - phase: trouble
    for: 1m30s
    faults: [{model_raises: {share: 0.5}, for: 1m, name: failing}]
  - {phase: recovery, for: 30s}
expect:
  - load/delivered: {}
  - service/answers: {in: baseline}
  - service/answers: {in: trouble}
  - service/answers: {in: recovery}
"""
TURN_OFF = "            self.faults.turn_off(name)\n"


def begin(folder: Path, *changes: tuple[str, str]) -> subprocess.Popen[str]:
    """Start the tiny drill on a copy of the stack whose service differs by `changes`."""
    stack = folder / "stack"
    shutil.copytree(ROOT / "stacks" / "null", stack, ignore=shutil.ignore_patterns("__pycache__"))
    service = stack / "service.py"
    for old, new in changes:
        text = service.read_text()
        assert text.count(old) == 1, old
        service.write_text(text.replace(old, new))
    (folder / "tiny.yaml").write_text(SCENARIO)
    return start(folder / "runs", "run", str(folder / "tiny.yaml"), "--stack", str(stack), "--speed", "30")


def play(folder: Path, *changes: tuple[str, str]) -> Played:
    return finished(begin(folder, *changes), folder / "runs", "tiny", within_s=60)


def answers(played: Played) -> Sequence[str]:
    return [verdict["answer"] for verdict in played.verdicts]


def test_a_drill_without_any_monitoring(tmp_path: Path) -> None:
    played = play(tmp_path)
    assert (played.code, answers(played)) == (0, ["pass"] * 4), played.output
    assert played.folder is not None
    fault = json.loads((played.folder / "run.json").read_text())["faults"][0]
    assert (fault["name"], fault["kind"]) == ("failing", "model_raises")
    nothing_left(played.folder.name, 1)


def test_a_fault_whose_effect_is_prevented_leaves_its_window_unknown(tmp_path: Path) -> None:
    played = play(tmp_path, ('if self.faults.hits("model_raises"):', "if False:"))
    assert (played.code, answers(played)) == (2, ["pass", "pass", "unknown", "pass"]), played.output
    assert played.verdicts[2]["reason"] == "The fault failing was never seen to take effect (last seen: absent)."


def test_a_fault_that_cannot_be_healed_is_named_everywhere(tmp_path: Path) -> None:
    played = play(tmp_path, (TURN_OFF, '            return self.answer(500, {"error": "no"})\n'))
    assert played.code == 70, played.output
    words = " ".join(played.output.split())
    assert "Not healed: failing (Hook model_raises at" in words
    assert played.folder is not None
    run = json.loads((played.folder / "run.json").read_text())
    assert run["outcome"].startswith("Not healed: failing (Hook model_raises at")
    assert run["exit_code"] == 70
    assert "Not healed: failing" in (played.folder / "verdicts.json").read_text()
    nothing_left(played.folder.name, 1)


def test_ctrl_c_heals_first_and_a_second_one_says_what_would_be_left(tmp_path: Path) -> None:
    slow = (TURN_OFF, f"            time.sleep(2)\n{TURN_OFF}")
    process = begin(tmp_path, slow)
    link = tmp_path / "runs" / "tiny" / "latest"
    until(lambda: (link / "journal.jsonl").exists() and noted(link, "injected"), 30, "the fault")
    folder = link.resolve()
    process.send_signal(signal.SIGINT)
    until(lambda: noted(folder, "heal"), 10, "the heal to begin")
    process.send_signal(signal.SIGINT)
    played = finished(process, tmp_path / "runs", "tiny", within_s=30)
    assert played.code == 130, played.output
    said = " ".join(played.output.split())
    assert "The stack null is up; not yet healed: failing" in said
    assert "After a third signal, the guardian (pid " in said
    facts = [json.loads(line)["fact"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert facts.index("interrupted") < facts.index("heal") < facts.index("healed") < facts.index("stack_down")
    assert not carriers(folder.name)
    nothing_left(folder.name, 1)
