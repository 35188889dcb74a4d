"""Each alert fires when it should and stays silent when it should: promtool plays the files in rules/."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.stacks.reference.test_reference_monitoring import ALERTS, RULE_FILES, tool

pytestmark = pytest.mark.e2e

CASES = Path(__file__).with_name("rules")
FILES = sorted(CASES.glob("*.test.yml"))


def load(path):
    return YAML(typ="safe").load(path.read_text())


def asked(path):
    """Return (alert, whether it must fire) for every question of a file."""
    tests = [ask for case in load(path)["tests"] for ask in case["alert_rule_test"]]
    return [(ask["alertname"], bool(ask["exp_alerts"])) for ask in tests]


def play(path):
    program = tool("promtool")
    return subprocess.run(
        [program.path, "test", "rules", path.name], cwd=path.parent, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def played():
    tool("promtool")
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(FILES, pool.map(play, FILES), strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_rules_answer_as_written(path, played):
    assert played[path].returncode == 0, played[path].stdout + played[path].stderr


def test_every_rule_file_has_its_tests():
    assert [path.name.replace(".test", "") for path in FILES] == [path.name for path in RULE_FILES]
    for path in FILES:
        assert load(path)["rule_files"] == [f"../../../../stacks/reference/prometheus/rules/{path.name[:-9]}.yml"]


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_every_alert_is_made_to_fire_and_made_not_to(alert):
    answers = {fires for path in FILES for name, fires in asked(path) if name == alert}
    assert answers == ({True} if alert == "Watchdog" else {True, False})


def test_a_rule_that_answers_otherwise_is_found(tmp_path):
    for source in (CASES / "watchdog.test.yml", RULE_FILES[0].with_name("watchdog.yml")):
        text = source.read_text().replace("../../../../stacks/reference/prometheus/rules/", "")
        (tmp_path / source.name).write_text(text.replace("vector(1)", "vector(1) > 1"))
    assert play(tmp_path / "watchdog.test.yml").returncode != 0
