"""run.json holds all that judging needs, and is whole or absent."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.fake_stack import Rig
from tests.planning.test_planner import planned
from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.runner import run_record


def described(folder: Path) -> dict:
    return run_record.describe(planned(folder), Rig(folder).run, ["tocsin", "run", "x.yaml"])


def test_the_description_survives_json_and_reads_as_evidence(tmp_path: Path) -> None:
    content = described(tmp_path)
    run_record.write(tmp_path, content)
    evidence = read_evidence(tmp_path)
    assert evidence.scenario.model_dump() == planned(tmp_path).scenario.model_dump()
    assert evidence.signals.jobs == {"ml": "model"}
    assert (evidence.speed, evidence.run["outcome"], evidence.run["exit_code"]) == (30, "running", 2)
    assert evidence.faults["failing"].injected_at is None


def test_everything_judging_asks_for_is_there(tmp_path: Path) -> None:
    asked = {
        "run_id",
        "scenario",
        "speed",
        "seed",
        "signals",
        "jobs",
        "scrape_interval_s",
        "evaluation_interval_s",
        "group_interval_s",
        "fixed_s",
        "alerts",
        "kinds",
        "phases",
        "faults",
        "features",
        "versions",
        "git",
        "command",
        "started_at",
    }
    assert asked <= set(described(tmp_path))


def test_finish_says_how_it_ended(tmp_path: Path) -> None:
    content = described(tmp_path)
    run_record.finish(content, Rig(tmp_path).run, "interrupted by SIGINT", 130)
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["outcome"], run["exit_code"], run["finished_at"]) == (
        "interrupted by SIGINT",
        130,
        "1970-01-01T00:16:40.000+00:00",
    )
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "holds no run.json"), ("{", "is not JSON"), ('{"schema": 99}', "schema 99"), ("{}", "schema None")],
)
def test_what_is_no_run_directory_is_refused_with_a_sentence(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(EvidenceError, match=words):
        read_evidence(tmp_path)


def test_the_original_configuration_is_kept_without_its_secrets(tmp_path: Path) -> None:
    from types import SimpleNamespace
    from typing import Any

    stack: Any = SimpleNamespace(
        folder=tmp_path / "stack", prometheus="prometheus/prometheus.yml", alertmanager="am/alertmanager.yml"
    )
    files = {
        "prometheus/rules/a.yml": "groups: [] # 5m\n",
        "am/alertmanager.yml": "  password: hunter2\n",
        "service/data.bin": "",
    }
    for name, text in files.items():
        (stack.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (stack.folder / name).write_text(text)
    run_record.keep_original(stack, tmp_path / "run")
    original = tmp_path / "run/config/original"
    kept = {str(path.relative_to(original)): path.read_text() for path in original.rglob("*") if path.is_file()}
    assert kept == {
        "prometheus/rules/a.yml": "groups: [] # 5m\n",
        "am/alertmanager.yml": "  password: <secret>\n",
    }


def test_users_of_ones_own_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Buyer(User): ...\n")
    own = planned(tmp_path, ("timeline:", "traffic: {users: mine.py:Buyer}\ntimeline:")).scenario
    run_record.keep_users(own, tmp_path / "run")
    assert (tmp_path / "run" / "config" / "users" / "mine.py").read_text() == "class Buyer(User): ...\n"
    run_record.keep_users(planned(tmp_path).scenario, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_commit_is_recorded_with_its_dirt(tmp_path: Path) -> None:
    def git(*argv: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org", *argv],
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    clean = run_record.git_head(tmp_path)
    (tmp_path / "a").write_text("2")
    dirty = run_record.git_head(tmp_path)
    assert clean and dirty
    assert (len(clean["head"]), clean["dirty"], dirty["dirty"]) == (40, False, True)


def test_no_repository_is_no_error(tmp_path: Path) -> None:
    assert run_record.git_head(tmp_path) is None


def test_versions_name_what_took_part(tmp_path: Path) -> None:
    from types import SimpleNamespace

    found = run_record.versions({"prometheus": SimpleNamespace(version="2.42.0")})
    assert found["prometheus"] == "2.42.0"
    assert {"tocsin", "python", "system", "numpy", "locust"} <= set(found)
