"""Stand-ins for the stages, so that the command line is tested without a server: what is faked is said by `Fakes`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.small_stack import CATALOGUE
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.judging.check import Answer, Verdict

PASSED = Verdict(check="alerts/quiet", title="alerts/quiet", answer=Answer.PASS, reason="Nothing fired.", line=15)
FAILED = Verdict(
    check="alerts/fire",
    title="alerts/fire HighErrorRate in trouble",
    answer=Answer.FAIL,
    reason="HighErrorRate did not fire.",
    files=("metrics/",),
    line=14,
)
BLIND = Verdict(check="logs/ledger", title="logs/ledger", answer=Answer.UNKNOWN, reason="Logs were blind.", line=16)


MORE: dict[str, Any] = {}
"""Further keys of every run.json."""


def write_run(folder: Path, *, name: str = "sample", outcome: str = "completed", exit_code: int = 0) -> Path:
    """Write a run directory that holds no more than what reports need."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "schema": 1,
        "run_id": "r1",
        "scenario": {"name": name},
        "speed": 30.0,
        "phases": [{"name": "baseline", "start_s": 0.0, "end_s": 1200.0}],
        "started_at": "2026-01-01T00:00:00.000+00:00",
        "finished_at": "2026-01-01T00:01:15.000+00:00",
        "outcome": outcome,
        "exit_code": exit_code,
        **MORE,
    }
    (folder / "run.json").write_text(json.dumps(run))
    return folder


@dataclass
class Fakes:
    """What the faked stages do: `raises` comes out of play, else a run directory with `outcome` and the verdicts."""

    verdicts: tuple[Verdict, ...] = (PASSED,)
    outcome: str = "completed"
    exit_code: int = 0
    raises: BaseException | None = None
    judging: BaseException | None = None
    played: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    works: list[Path] = field(default_factory=list)

    def run_drill(self, timeline: Any, engine: Any, run: Any, journal: Any, **options: Any) -> Any:
        """Stand in for tocsin.harness.runner.pipeline.run_drill."""
        self.played.append(timeline.scenario.name)
        self.told.append(options)
        self.works.append(run.work)
        options["watch"]({"stage": "play", "phase": "baseline", "elapsed_s": 60.0, "length_s": 1200.0, "rate": {}})
        if self.raises is not None:
            raise self.raises
        write_run(run.folder, name=timeline.scenario.name, outcome=self.outcome, exit_code=self.exit_code)
        return read_evidence(run.folder)

    def judge(self, evidence: Any, checks: Any, only: str | None = None) -> tuple[Verdict, ...]:
        """Stand in for tocsin.harness.judging.judge.judge."""
        if self.judging is not None:
            raise self.judging
        return self.verdicts


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """Return fakes that stand where the stages are, in an empty current folder."""
    import tocsin.harness.cli.load_catalogue
    import tocsin.harness.judging.judge
    import tocsin.harness.provisioning.programs
    import tocsin.harness.runner.pipeline

    made = Fakes()
    monkeypatch.setattr(tocsin.harness.cli.load_catalogue, "catalogue", lambda: CATALOGUE)
    monkeypatch.setattr(tocsin.harness.provisioning.programs, "find_all", lambda names, cache: {})
    monkeypatch.setattr(tocsin.harness.runner.pipeline, "run_drill", made.run_drill)
    monkeypatch.setattr(tocsin.harness.judging.judge, "judge", made.judge)
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(here)
    return made
