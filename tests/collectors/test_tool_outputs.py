"""What promtool and amtool say is written down; stand-ins answer for them."""

import json
from types import SimpleNamespace

import pytest

from tests.collectors.servers import serving
from tests.evidence.rendered import alert, write
from tocsin.harness.collectors import tool_outputs
from tocsin.harness.collectors.server_queries import Prometheus
from tocsin.harness.evidence.rendered_config import tool_output
from tocsin.harness.provisioning.program_lookup import Program

TOOLS = ("promtool_rules", "promtool_config", "amtool_config")
AMTOOL = """#!/bin/sh
case "$*" in
  *"routes test"*severity=critical*) echo "Warning: a flag"; echo page,chat;;
  *"routes test"*severity=warning*) echo tocsin-default;;
  *"routes test"*) echo "no such route" >&2; exit 1;;
  *) echo "SUCCESS $*";;
esac
"""
PROMTOOL = """#!/bin/sh
echo "$*"
case "$*" in *rules*) exit 3;; esac
"""


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Return a function that records with these programs, and what it noted in the journal."""
    stack = tmp_path / "stack"
    (stack / "runbooks").mkdir(parents=True)
    (stack / "runbooks" / "Down.md").write_text("x")
    (stack / ".git").mkdir()
    (stack / ".git" / "HEAD").write_text("x")

    def record(*rules, **programs):
        def find(name, cache):
            if name not in programs:
                return None
            path = tmp_path / name
            path.write_text(programs[name])
            path.chmod(0o755)
            return Program(name=name, version="1", path=path, origin="PATH")

        monkeypatch.setattr(tool_outputs, "find", find)
        write(tmp_path / "run", *rules)
        (tmp_path / "work").mkdir()
        noted = []
        live = SimpleNamespace(
            work=tmp_path / "work",
            stack=SimpleNamespace(
                folder=stack, prometheus="prometheus/prometheus.yml", alertmanager="alertmanager/alertmanager.yml"
            ),
        )
        journal = SimpleNamespace(note=lambda fact, **more: noted.append((fact, more)))
        tool_outputs.record_tools(live, SimpleNamespace(folder=tmp_path / "run"), journal)
        return lambda name: tool_output(tmp_path / "run", name), noted

    return record


def test_outputs_and_routes(recorded):
    down = alert("Down")
    slow = alert("Slow", labels={"severity": "warning", "team": "{{ $labels.team }}"})
    lost = alert("Lost", labels=None)
    told, noted = recorded(down, slow, lost, promtool=PROMTOOL, amtool=AMTOOL)
    assert told("promtool_rules.txt") == "check rules --lint=all --lint-fatal prometheus/rules/a.yml\nexit 3\n"
    assert told("promtool_config.txt") == "check config prometheus/prometheus.yml\nexit 0\n"
    assert told("amtool_config.txt") == "SUCCESS check-config alertmanager/alertmanager.yml\nexit 0\n"
    rows = {row["alert"]: row for row in told("routes.json")}
    assert (rows["Down"]["receivers"], rows["Down"]["by_default"]) == (["page", "chat"], False)
    assert (rows["Slow"]["receivers"], rows["Slow"]["by_default"]) == (["ticket"], True)
    assert rows["Slow"]["labels"] == {"alertname": "Slow", "severity": "warning"}  # a template has no value yet
    assert (rows["Lost"]["receivers"], rows["Lost"]["output"]) == ([], "no such route exit 1")
    assert (told("files.json"), noted) == (["runbooks/Down.md"], [])


def test_what_the_targets_declare(recorded, monkeypatch):
    class Prometheus:
        def __init__(self, live):
            pass

        def declared(self):
            return {"up": "gauge"}

    monkeypatch.setattr(tool_outputs, "Prometheus", Prometheus)
    told, _ = recorded(alert("Down"))
    assert told("metadata.json") == {"up": "gauge"}


def test_what_is_missing_leaves_no_file(recorded):
    told, noted = recorded(alert("Down"))
    names = ("promtool_rules.txt", "promtool_config.txt", "amtool_config.txt", "routes.json", "metadata.json")
    assert [told(name) for name in names] == [None] * 5
    assert (told("files.json"), [fact for fact, _ in noted]) == (["runbooks/Down.md"], ["tools"])
    assert noted[0][1]["missing"] == ["promtool", "amtool"]


def test_without_a_rendered_configuration_nothing_is_asked(tmp_path):
    tool_outputs.record_tools(SimpleNamespace(), SimpleNamespace(folder=tmp_path), SimpleNamespace())
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_cannot_be_run_has_no_exit(recorded):
    told, _ = recorded(alert("Down"), promtool="#!/does/not/exist\n")
    assert told("promtool_rules.txt").startswith("FileNotFoundError")
    assert "exit" not in json.dumps(told("promtool_config.txt")).replace("exist", "")


@pytest.mark.e2e
def test_the_real_tools_on_good_and_on_bad_files(tmp_path):
    stack = SimpleNamespace(
        folder=tmp_path, prometheus="prometheus/prometheus.yml", alertmanager="alertmanager/alertmanager.yml"
    )
    live = SimpleNamespace(work=tmp_path, stack=stack, address=lambda role: "127.0.0.1:9")
    journal = SimpleNamespace(note=lambda fact, **more: None)
    ticket = alert("Slow", labels={"severity": "warning"})
    answers = {}
    for name, rules in (("good", [alert("Down"), ticket]), ("bad", [alert("Down"), alert("Down")])):
        write(tmp_path / name, *rules, rule_files=["rules/*.yml"])
        tool_outputs.record_tools(live, SimpleNamespace(folder=tmp_path / name), journal)
        answers[name] = [tool_output(tmp_path / name, f"{tool}.txt").rstrip()[-6:] for tool in TOOLS]
    assert answers == {"good": ["exit 0"] * 3, "bad": ["exit 3", "exit 0", "exit 0"]}
    rows = tool_output(tmp_path / "good", "routes.json")
    assert [(row["receivers"], row["by_default"]) for row in rows] == [(["page"], False), (["ticket"], True)]


def test_the_types_of_metrics_come_from_prometheus():
    declared = {"up": [{"type": "gauge", "help": ""}], "torn": [], "x_seconds": [{"type": "histogram"}]}

    def answer(method, path, given):
        return (200, {"status": "success", "data": declared}) if path == "/api/v1/metadata" else (404, {})

    with serving(answer) as server:
        prometheus = Prometheus(SimpleNamespace(address=lambda role: server.address))
        assert prometheus.declared() == {"up": "gauge", "x_seconds": "histogram"}
        prometheus.close()
