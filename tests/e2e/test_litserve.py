"""A third-party inference server as a stack of one's own: LitServe from its package, real monitoring."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.containers import engine, left, run_id_of
from tests.e2e.drills import ROOT, SPEED, Played, finished, start

pytestmark = pytest.mark.e2e
STACK = ROOT / "stacks" / "litserve"
INSTALL_S = 240


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack folder with a virtual environment of its own."""
    folder = tmp_path_factory.mktemp("litserve") / "litserve"
    shutil.copytree(STACK, folder, ignore=shutil.ignore_patterns(".venv"))
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True, timeout=INSTALL_S)
    install = [
        folder / ".venv/bin/pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-r",
        folder / "requirements.txt",
    ]
    subprocess.run(install, check=True, timeout=INSTALL_S)
    return folder


def outage(runs: Path, stack: Path, *more: str) -> Played:
    scenario = str(stack / "scenarios" / "outage.yaml")
    process = start(runs, "run", scenario, "--stack", str(stack), "--speed", SPEED, *more)
    return finished(process, runs, "litserve_outage")


def test_the_drill_passes_and_fails_without_its_alert(stack: Path, tmp_path: Path) -> None:
    good = outage(tmp_path / "good", stack)
    assert good.code == 0, good.output
    rules = stack / "prometheus" / "rules" / "scorer.yml"
    text = rules.read_text()
    assert text.count('up{job="scorer"} == 0') == 1
    rules.write_text(text.replace('up{job="scorer"} == 0', 'up{job="scorer"} == 2'))
    bad = outage(tmp_path / "bad", stack)
    assert bad.code == 1, bad.output
    assert any(answer == "fail" and "ScorerDown" in reason for answer, reason in bad.answers("alerts/fire"))


def test_the_drill_passes_in_containers_and_leaves_none(tmp_path: Path) -> None:
    docker = engine()
    played = outage(tmp_path / "runs", STACK, "--engine", "compose")
    assert played.code == 0, played.output
    assert [verdict["answer"] for verdict in played.verdicts].count("pass") == len(played.verdicts) >= 9
    assert left(docker, run_id_of(tmp_path / "runs")) == {}
