"""Every drill that awaits an alert turns red when that alert is removed. About a minute a drill: `make soak`.

The first alert that a drill awaits is taken out of a copy of its stack, and the drill is played. Red counts only by the
line that awaits this alert; that the drill is green on the good stack is for the suite itself to show.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.drills import ROOT, copy_stack, finished, start
from tests.e2e.removing import awaited, remove_alert
from tests.e2e.series import play_series

pytestmark = pytest.mark.soak
SPEED = 30.0
AWAITING = {
    path.stem: awaited(path)[0]
    for path in sorted((ROOT / "scenarios").glob("*.yaml"))
    if path.name != "suite.yaml" and awaited(path)
}
"""Drill -> the first alert that it awaits."""


def speed_of(name: str) -> str:
    """Return the speed to play a drill at: 30, or its largest honest one."""
    from tocsin.harness.cli.load_catalogue import catalogue
    from tocsin.harness.planning.loader import load
    from tocsin.harness.planning.planner import plan

    scenario, stack = load(ROOT / "scenarios" / f"{name}.yaml", catalogue())
    return f"{min(SPEED, plan(scenario, stack, catalogue(), None, SPEED).largest_speed):g}"


def play_without(name: str, alert: str, folder: Path) -> dict[str, Any]:
    """Play a drill on a stack without the alert; return how it ended and with which sentence about it."""
    stack, runs = copy_stack(folder / "stack"), folder / "runs"
    assert remove_alert(stack, alert), f"{alert} stands in no rule file"
    argv = ("run", f"scenarios/{name}.yaml", "--stack", str(stack), "--speed", speed_of(name))
    played = finished(start(runs, *argv), runs, name, within_s=500)
    told = [
        (one["answer"], one["reason"])
        for one in played.verdicts
        if one["check"] == "alerts/fire" and f"alert: {alert}," in one["title"] and one["answer"] != "pass"
    ]
    answer, said = told[0] if told else ("none", played.output[-1500:])
    return {
        "ok": played.code in (1, 2) and bool(told),
        "code": played.code,
        "alert": alert,
        "answer": answer,
        "said": said,
    }


def test_every_drill_turns_red_without_its_alert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = play_series(
        "alerts_removed", list(AWAITING), lambda name: play_without(name, AWAITING[name], tmp_path / name)
    )
    with capsys.disabled():
        print(f"\n{'drill':28} {'without':24} {'code':>4}  {'answer':8} said")
        for name, result in sorted(results.items()):
            print(f"{name:28} {result['alert']:24} {result['code']:>4}  {result['answer']:8} {result['said'][:140]}")
        failed = sum(result["answer"] == "fail" for result in results.values())
        red = sum(result["ok"] for result in results.values())
        print(json.dumps({"drills": len(results), "red": red, "fail": failed, "unknown": red - failed}))
    assert {name for name, result in results.items() if not result["ok"]} == set()
