"""A compressed drill rings as production would: one is proved so in CI, every reference drill in `make soak`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.drills import ROOT, TOCSIN, finished, start

DRILLS = sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml") if path.stem != "suite")
AROUND_PLAY_S = 60.0


def compared(folder: Path) -> tuple[int, str]:
    """Return the exit code of `tocsin fidelity` and what it printed."""
    done = subprocess.run([*TOCSIN, "fidelity", str(folder)], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.e2e
def test_a_drill_is_faithful_and_another_rule_is_not(tmp_path: Path) -> None:
    process = start(tmp_path / "runs", "run", "scenarios/model_down.yaml", "--speed", "60")
    played = finished(process, tmp_path / "runs", "model_down")
    assert played.folder is not None, played.output
    assert compared(played.folder)[0] == 0
    found = json.loads((played.folder / "fidelity.json").read_text(encoding="utf-8"))
    assert "TargetDown" in {row["alert"] for row in found["alerts"]}
    rules = played.folder / "config/original/prometheus/rules/targets.yml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("for: 1m", "for: 3m", 1), encoding="utf-8")
    code, told = compared(played.folder)
    assert (code, "its onset is 120 s earlier than in production" in told) == (1, True), told
    shutil.rmtree(played.folder / "config/original")
    assert compared(played.folder)[0] == 2


@pytest.mark.soak
@pytest.mark.parametrize("scenario", DRILLS)
def test_every_drill_passes_and_is_faithful_at_speed_30(tmp_path: Path, scenario: str) -> None:
    process = start(tmp_path, "run", f"scenarios/{scenario}.yaml", "--speed", "30")
    played = finished(process, tmp_path, scenario, within_s=600)
    assert played.folder is not None and played.code == 0, played.output
    verdicts = json.loads((played.folder / "verdicts.json").read_text(encoding="utf-8"))
    assert verdicts["wall_s"] <= verdicts["production_s"] / 30 + AROUND_PLAY_S
    code, told = compared(played.folder)
    assert code == 0, told
