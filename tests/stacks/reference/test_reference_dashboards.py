"""The dashboards as files: the fields that Grafana's documentation names, and links that lead to a panel.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ and, for provisioning,
https://grafana.com/docs/grafana/latest/administration/provisioning/ are what these tables are read from. Grafana itself
is not started here.
"""

import json
import re
from pathlib import Path

import pytest

from tests.stacks.reference.test_reference_monitoring import ALERTS, load
from tocsin.harness.monitoring.dashboard_variables import Choice, builtin_variables, fill
from tocsin.harness.monitoring.dashboards import flat, read_dashboards
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.compress import compress_expr
from tocsin.harness.monitoring.promql.compression_analysis import analyse
from tocsin.harness.monitoring.promql.expression import parse
from tocsin.harness.planning.loader import load_stack

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
FILES = sorted((STACK / "grafana" / "dashboards").glob("*.json"))
BOARDS = {path.stem: json.loads(path.read_text()) for path in FILES}
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in flat(board["panels"])]
BOARD = {"uid": str, "title": str, "description": str, "tags": list, "schemaVersion": int, "version": int,
         "editable": bool, "graphTooltip": int, "timezone": str, "refresh": str, "time": dict, "templating": dict,
         "annotations": dict, "links": list, "panels": list}  # fmt: skip
PANEL = {"id": int, "type": str, "title": str, "description": str, "gridPos": dict, "fieldConfig": dict,
         "options": dict, "targets": list}  # fmt: skip
UNITS = {"reqps", "percentunit", "percent", "s", "ms", "short", "none", "bytes", "cps", "celsius", "watt"}
TYPES = {"timeseries", "logs", "alertlist"}
LINK = re.compile(r"/d/(?P<uid>[a-z-]+)(?:\?viewPanel=(?P<panel>\d+))?")
CLOCKED = re.compile(r"\b(?:prometheus|alertmanager|ml_drift_check)_\w+_total\b")
ids = [f"{name}-{panel['title']}" for name, panel in PANELS]


@pytest.fixture(scope="module")
def stack():
    return load_stack("reference")


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_has_the_documented_fields(name):
    board = BOARDS[name]
    assert {key for key, kind in BOARD.items() if not isinstance(board.get(key), kind)} == set()
    assert board["uid"] == f"tocsin-{name}" and len(board["uid"]) <= 40
    assert board["schemaVersion"] == 39 and "id" not in board
    assert set(board["time"]) == {"from", "to"}


def test_uids_and_panels_are_unique():
    assert {"service", "drift", "gpu", "logs", "monitoring"} <= set(BOARDS)
    for board in BOARDS.values():
        panels = list(flat(board["panels"]))
        assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=ids)
def test_a_panel_has_the_documented_fields(name, panel):
    assert {key for key, kind in PANEL.items() if not isinstance(panel.get(key), kind)} == set()
    assert panel["type"] in TYPES and panel["description"].endswith(".")
    place = panel["gridPos"]
    assert set(place) == {"h", "w", "x", "y"} and place["x"] + place["w"] <= 24
    if panel["type"] == "timeseries":
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS
        assert defaults["thresholds"]["mode"] == "absolute" and defaults["thresholds"]["steps"][0]["value"] is None
        assert panel["targets"]


def test_panels_do_not_overlap():
    for board in BOARDS.values():
        taken = set()
        for panel in flat(board["panels"]):
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=ids)
def test_every_query_asks_a_known_source_in_its_own_language(name, panel, stack):
    chosen = {str(one["name"]): Choice(values=("a", "b"), pattern=True) for one in BOARDS[name]["templating"]["list"]}
    own = builtin_variables(interval_s=15, scrape_s=15, range_s=3600)
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)
    for target in panel["targets"]:
        variable = target["datasource"]["uid"].strip("${}")
        assert target["datasource"] == panel["datasource"]
        assert variable in {one["name"] for one in BOARDS[name]["templating"]["list"] if one["type"] == "datasource"}
        if target["datasource"]["type"] == "prometheus":
            text = fill(target["expr"], chosen, own)
            assert parse(text) and compress_expr(text, 30.0, read_monitoring(stack).scales)
        else:
            assert target["timeField"] and target["metrics"] and isinstance(target["bucketAggs"], list)


def test_what_follows_the_clock_and_not_the_traffic_is_declared_so(stack):
    """Its rate per wall second is K times that of production, which a panel's drawing takes back."""
    asked = [target["expr"] for _, panel in PANELS for target in panel["targets"] if "expr" in target]
    found = {name: text for text in asked for name in CLOCKED.findall(text)}
    assert set(found) == set(stack.scales.events)
    assert set(CLOCKED.findall(" ".join(rule["expr"] for rule in ALERTS))) <= set(found)
    for text in found.values():
        chosen = {"feature": Choice(values=("f1",), pattern=True)}
        filled = fill(text, chosen, builtin_variables(interval_s=15, scrape_s=15, range_s=3600))
        assert analyse(filled, read_monitoring(stack).scales).scale.power == 1


def test_our_own_reader_sees_every_panel(stack):
    boards = {board.name: board for board in read_dashboards(stack)}
    assert {name: len(board.panels) for name, board in boards.items()} == {
        name: len(list(flat(board["panels"]))) for name, board in BOARDS.items()
    }
    sources = {
        query.source.type: query.source.index for one in boards.values() for p in one.panels for query in p.queries
    }
    assert sources == {"prometheus": "", "elasticsearch": "ml-logs-*"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_links_to_a_panel_that_is_there(rule):
    link = LINK.fullmatch(rule["annotations"]["dashboard"])
    assert link, rule["annotations"]["dashboard"]
    (board,) = [one for one in BOARDS.values() if one["uid"] == link["uid"]]
    assert link["panel"] is None or int(link["panel"]) in {panel["id"] for panel in flat(board["panels"])}


def test_data_sources_are_those_that_the_dashboards_name():
    (path,) = (STACK / "grafana" / "provisioning" / "datasources").glob("*.yml")
    content = load(path)
    sources = {one["uid"]: one for one in content["datasources"]}
    assert content["apiVersion"] == 1 and [one["isDefault"] for one in sources.values() if "isDefault" in one] == [True]
    for one in sources.values():
        assert {"name", "uid", "type", "access", "url"} <= set(one) and one["access"] == "proxy"
        assert re.fullmatch(r"http://(prometheus:9090|elasticsearch:9200)", one["url"])
    scrape = load(STACK / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    assert sources["prometheus"]["jsonData"]["timeInterval"] == scrape
    shown = {variable["current"]["value"] for board in BOARDS.values() for variable in board["templating"]["list"]
             if variable["type"] == "datasource"}  # fmt: skip
    assert shown == set(sources)


def test_dashboards_are_loaded_from_where_they_are_mounted():
    (path,) = (STACK / "grafana" / "provisioning" / "dashboards").glob("*.yml")
    (provider,) = load(path)["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["disableDeletion"] and not provider["allowUiUpdates"]
