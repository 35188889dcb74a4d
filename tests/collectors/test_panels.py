"""Every panel's queries are asked at the speed of the run, and what comes of them is written down."""

import json
from types import SimpleNamespace

import pytest

from tests.collectors.servers import Rig, serving
from tests.evidence.written_runs import SIGNALS
from tests.fake_clock import FakeClock
from tocsin.harness.collectors import panel_queries
from tocsin.harness.collectors.panels import POINTS, SERIES, record_panels
from tocsin.harness.declarations.stack_signals import Signals
from tocsin.harness.evidence.panels import read_panels

START = 1_000_000.0
LOGS = {"type": "elasticsearch", "uid": "es"}
BY_TIME = {"type": "date_histogram", "field": "@timestamp"}
BY_OUTCOME = {"type": "terms", "field": "outcome"}


class Servers:
    """Stands in for Prometheus and Elasticsearch; keeps what was asked."""

    def __init__(self):
        self.queries, self.searches = [], []
        self.series = [({"job": "a"}, 2.0)]
        self.refuses = ""

    def answer(self, method, path, given):
        if path.endswith("/query_range"):
            self.queries.append(given["query"])
            if self.refuses:
                return 400, {"status": "error", "errorType": "bad_data", "error": self.refuses}
            start, step = float(given["start"]), float(given["step"])
            after = [[start + step, "NaN"], [start + 2 * step, "+Inf"]]
            rows = [{"metric": labels, "values": [[start, str(value)], *after]} for labels, value in self.series]
            return 200, {"status": "success", "data": {"result": rows}}
        if "/label/" in path:
            return 200, {"status": "success", "data": ["m1", "m2"]}
        self.searches.append(given)
        histogram = given["aggs"]
        for name in histogram:
            if name.startswith("by "):
                inner = {"time": {"buckets": [self.bucket(3), self.bucket(0, 1)]}}
                return 200, {"aggregations": {name: {"buckets": [{"key": "error", "doc_count": 3, **inner}]}}}
        return 200, {"aggregations": {"time": {"buckets": [self.bucket(3)]}}}

    @staticmethod
    def bucket(count, place=0):
        return {"key": (START + place * 0.5) * 1000, "doc_count": count, "value": {"value": 7.5}}


@pytest.fixture
def recorded(tmp_path):
    """Return a function that records these panels at speed 30 after a minute of play, and what was asked."""
    asked = Servers()
    clock = FakeClock(30.0, START)

    def record(*panels, variables=(), play_s=60.0, roles=("prometheus", "elasticsearch"), begun=True):
        stack = tmp_path / "stack"
        (stack / "prometheus").mkdir(parents=True)
        (stack / "prometheus" / "prometheus.yml").write_text("global: {scrape_interval: 15s}")
        content = {"uid": "u", "title": "T", "panels": list(panels), "templating": {"list": list(variables)}}
        (stack / "t.json").write_text(json.dumps(content))
        with serving(asked.answer, {"X-Elastic-Product": "Elasticsearch"}) as server:
            rig = Rig(tmp_path, dict.fromkeys(roles, server.address), 30.0, clock)
            signals = Signals.model_validate({**SIGNALS, "logs": SIGNALS["logs"] | {"index": "logs-*"}})
            rig.live.stack = SimpleNamespace(
                folder=stack, dashboards=("*.json",), prometheus="prometheus/prometheus.yml", alertmanager=None,
                paths={}, roles=dict.fromkeys(roles), signals=signals, model_dump_json=lambda **_: "",
                scales=SimpleNamespace(model_dump=dict),
            )  # fmt: skip
            if begun:
                rig.journal.note("phase_started", phase="baseline")
            clock.sleep(play_s)
            record_panels(rig.live, rig.run, rig.journal)
        boards = read_panels(rig.folder / "panels")
        return SimpleNamespace(boards=boards, rig=rig, asked=asked)

    record.asked = asked
    return record


def panel(*targets, **more):
    return {"id": 1, "type": "timeseries", "title": "P", "targets": [{"refId": "A", **one} for one in targets], **more}


def logs(metrics, *buckets, query="*", **more):
    return {"datasource": LOGS, "query": query, "metrics": metrics, "bucketAggs": list(buckets), **more}


def only(result):
    (board,) = result.boards
    return board.panels[0].queries[0]


def test_durations_are_divided_and_ages_come_back_as_in_production(recorded):
    made = recorded(
        panel({"expr": "rate(x_total[5m])"}, {"expr": "time() - y_timestamp_seconds", "refId": "B"}, {"expr": "z"})
    )
    assert made.asked.queries == ["rate(x_total[10s])", "time() - y_timestamp_seconds", "z"]
    rate, age, gauge = made.boards[0].panels[0].queries
    assert [one.series[0].values[0] for one in (rate, age, gauge)] == [2.0, 60.0, 2.0]
    assert str(gauge.series[0].values[1:4].tolist()) == "[nan, inf, nan]"
    assert made.boards[0].step_s == 0.5 and len(gauge.series[0].values) == 121


def test_variables_are_asked_for_and_filled_in(recorded):
    model = {"name": "model", "type": "query", "query": "label_values(x, model)", "includeAll": True, "multi": True}
    made = recorded(panel({"expr": 'rate(x{m=~"$model"}[$__rate_interval])'}), variables=[model])
    assert made.asked.queries == ['rate(x{m=~"(m1|m2)"}[2s])']
    assert made.boards[0].variables == {"model": ["m1", "m2"]}


def test_a_variable_without_a_value_leaves_its_panels_empty(recorded):
    model = {"name": "model", "type": "query", "query": "label_values(x, gone)", "regex": "zzz", "includeAll": True}
    with_it, without = (
        recorded(panel({"expr": 'x{m=~"$model"}'}, {"expr": "y"}), variables=[model]).boards[0].panels[0].queries
    )
    assert (with_it.failed, without.failed) == ("empty", "")
    assert "$model has no value" in with_it.says


def test_what_fails_is_written_down_with_the_servers_sentence(recorded):
    recorded.asked.refuses = "parse error: unexpected end of input"
    asked = only(recorded(panel({"expr": "rate(x[5m])"})))
    assert (asked.failed, asked.says) == ("refused", "parse error: unexpected end of input")


def test_a_query_that_is_no_promql_is_left_to_prometheus(recorded):
    recorded.asked.refuses = "parse error: unclosed left parenthesis"
    made = recorded(panel({"expr": "rate(x[5m]"}))
    assert (only(made).failed, only(made).says) == ("refused", recorded.asked.refuses)
    assert made.asked.queries == ["rate(x[5m]"]


@pytest.mark.parametrize(
    ("target", "failed", "words"),
    [
        ({"expr": "x{a='$gone'}"}, "unasked", "$gone"),
        ({"expr": "x @ 100"}, "unasked", "At speed 30 it cannot be asked"),
        ({"expr": "x", "datasource": {"type": "loki"}}, "unasked", "'loki'"),
        (logs([{"type": "moving_avg"}]), "unasked", "moving_avg is not understood"),
        (logs([{"type": "count"}], {"type": "geohash_grid"}), "unasked", "geohash_grid"),
    ],
)
def test_what_cannot_be_asked_says_so(recorded, target, failed, words):
    asked = only(recorded(panel(target)))
    assert asked.failed == failed and words in asked.says
    assert recorded.asked.queries == (["x @ 100"] if "@" in target.get("expr", "") else [])
    assert recorded.asked.searches == []


def test_a_server_that_is_gone_is_no_refusal(recorded, monkeypatch):
    def gone(*_, **__):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(panel_queries.Prometheus, "over", gone)
    asked = only(recorded(panel({"expr": "x"})))
    assert asked.failed == "unanswered" and "Connection refused" in asked.says


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        (logs([{"type": "count"}], BY_TIME), "A", 90.0),
        (logs([{"type": "count"}], BY_OUTCOME, BY_TIME, alias="{{outcome}}"), "error", 90.0),
        (logs([{"type": "avg", "field": "latency_ms"}], BY_TIME, alias="mean"), "mean", 7.5),
        (logs([{"type": "logs"}]), "query=*", 90.0),
    ],
)
def test_log_panels_ask_elasticsearch_in_steps_of_time(recorded, target, name, value):
    made = recorded(panel(target))
    (series,) = only(made).series
    assert (series.name if name != "A" else "A", series.values[0]) == (name, value)
    (search,) = made.asked.searches
    limits, words = search["query"]["bool"]["filter"]
    assert limits["range"]["@timestamp"]["gte"] == START * 1000
    assert words["query_string"]["query"] == "*"
    assert "500ms" in json.dumps(search["aggs"])


@pytest.mark.parametrize(("play_s", "step_s"), [(60.0, 0.5), (200.0, 0.5), (210.0, 1.0), (1000.0, 2.5)])
def test_a_long_drill_is_looked_at_in_wider_steps(recorded, play_s, step_s):
    made = recorded(panel({"expr": "x"}), play_s=play_s)
    assert made.boards[0].step_s == step_s
    assert len(only(made).series[0].values) <= POINTS + 1


def test_series_are_bounded_and_the_rest_is_counted(recorded):
    recorded.asked.series = [({"n": str(at)}, 1.0) for at in range(SERIES + 3)]
    asked = only(recorded(panel({"expr": "x", "legendFormat": "{{n}}"})))
    assert (len(asked.series), asked.left_out) == (SERIES, 3)


def test_without_play_nothing_is_recorded(recorded):
    made = recorded(panel({"expr": "x"}), begun=False)
    assert made.boards == () and made.asked.queries == []
