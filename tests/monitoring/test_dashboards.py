"""What of a Grafana dashboard is read, and what is no dashboard."""

import json
from types import SimpleNamespace

import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.monitoring.dashboards import PROMETHEUS, Source, read_dashboards, readable

PROM = {"type": "prometheus", "uid": "${metrics}"}
SOURCES = """
apiVersion: 1
datasources:
  - {name: Main, uid: prom-1, type: prometheus}
  - {name: Logs, uid: es-1, type: elasticsearch, jsonData: {index: "app-*"}}
  - {name: Other logs, uid: es-2, type: elasticsearch, jsonData: {index: "other-*"}}
"""


def target(expr, **more):
    return {"refId": "A", "expr": expr, **more}


@pytest.fixture
def board(tmp_path):
    """Return a function that writes a dashboard with these panels and reads it with its data sources."""

    def read(*panels, variables=()):
        content = {"uid": "u", "title": "T", "panels": list(panels), "templating": {"list": list(variables)}}
        (tmp_path / "t.json").write_text(json.dumps(content))
        (tmp_path / "sources.yml").write_text(SOURCES)
        return read_dashboards(stack(tmp_path, "*.json", "*.yml"))[0]

    return read


def stack(folder, *patterns):
    return SimpleNamespace(folder=folder, dashboards=patterns)


def test_a_panel_with_all_that_matters(board):
    defaults = {
        "unit": "s",
        "custom": {"stacking": {"mode": "normal"}},
        "thresholds": {"steps": [{"color": "green", "value": None}, {"color": "red", "value": 0.1}]},
    }
    made = {"id": 3, "type": "timeseries", "title": "Lag", "datasource": PROM, "fieldConfig": {"defaults": defaults},
            "targets": [target("a", legendFormat="{{job}}"), target("b", refId="B", hide=True)]}  # fmt: skip
    (panel,) = board(made).panels
    assert (panel.id, panel.title, panel.unit, panel.thresholds) == (3, "Lag", "s", ((0.1, "red"),))
    assert panel.stacked
    assert [(one.ref, one.text, one.legend, one.source.type) for one in panel.queries] == [
        ("A", "a", "{{job}}", PROMETHEUS)
    ]


def test_rows_hold_panels_and_a_panel_may_ask_nothing(board):
    row = {"type": "row", "panels": [{"id": 2, "type": "stat", "title": "Inside", "targets": [target("a")]}]}
    text = {"id": 1, "type": "text", "title": "Words"}
    made = board(row, {"type": "row"}, text)
    assert [(panel.title, len(panel.queries)) for panel in made.panels] == [("Inside", 1), ("Words", 0)]


@pytest.mark.parametrize(
    ("of_panel", "of_target", "source"),
    [
        (None, None, Source(type="prometheus")),
        ({"uid": "es-1"}, None, Source(type="elasticsearch", index="app-*")),
        ({"type": "elasticsearch", "uid": "es-2"}, None, Source(type="elasticsearch", index="other-*")),
        ("Logs", None, Source(type="elasticsearch", index="app-*")),
        ({"type": "prometheus", "uid": "gone"}, None, Source(type="prometheus")),
        ({"type": "datasource", "uid": "-- Mixed --"}, {"uid": "es-2"}, Source(type="elasticsearch", index="other-*")),
        ({"uid": "prom-1"}, {"uid": "es-1"}, Source(type="elasticsearch", index="app-*")),
        ({"type": "elasticsearch", "uid": "${logs}"}, None, Source(type="elasticsearch", index="other-*")),
        ({"type": "loki", "uid": "x"}, None, Source(type="loki")),
        ({"type": "prometheus", "uid": "${metrics}"}, None, Source(type="prometheus")),
    ],
)
def test_which_server_a_query_asks(board, of_panel, of_target, source):
    variables = [
        {"name": "logs", "type": "datasource", "query": "elasticsearch", "current": {"value": "es-2"}},
        {"name": "metrics", "type": "datasource", "query": "prometheus", "current": {}},
    ]
    made = board({"datasource": of_panel, "targets": [target("a", datasource=of_target)]}, variables=variables)
    assert made.panels[0].queries[0].source == source


@pytest.mark.parametrize("text", ["", "{", "[]", '{"title": "x"}', '{"panels": 3}'])
def test_what_is_no_dashboard(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(StackError, match=r"t\.json is no dashboard"):
        read_dashboards(stack(tmp_path, "*.json"))
    assert readable(stack(tmp_path, "*.json")) == ()


def test_broken_data_sources_are_named(tmp_path):
    (tmp_path / "sources.yml").write_text("a: [")
    with pytest.raises(StackError, match=r"sources\.yml is no list of data sources"):
        read_dashboards(stack(tmp_path, "*.yml"))


def test_a_file_that_two_patterns_name_is_read_once(tmp_path):
    (tmp_path / "t.json").write_text('{"panels": []}')
    assert [one.name for one in read_dashboards(stack(tmp_path, "*.json", "t.json"))] == ["t"]
    assert read_dashboards(stack(tmp_path)) == ()
