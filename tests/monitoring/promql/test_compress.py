"""Durations divided in the text, verified on the tree; what cannot be kept is refused by name."""

import pytest
from ruamel.yaml import YAML

from tocsin.harness.monitoring.promql import compress
from tocsin.harness.monitoring.promql.compress import NotCompressible, compress_expr, compress_rules
from tocsin.harness.monitoring.promql.expression import parse

KEPT = [
    ("rate(x[5m])", "rate(x[10s])"),
    ("irate(x[1m] offset 30m)", "irate(x[2s] offset 1m)"),
    ("rate(x[5m] offset -5m)", "rate(x[10s] offset -10s)"),
    ("max_over_time(rate(x[5m])[1h:1m])", "max_over_time(rate(x[10s])[2m:2s])"),
    ("max_over_time(x[1h:])", "max_over_time(x[2m:])"),
    ("rate(x_5m[90s]) == 5", "rate(x_5m[3s]) == 5"),
    ('rate(x{window="5m",le="0.5"}[5m]) > 0.05', 'rate(x{window="5m",le="0.5"}[10s]) > 0.05'),
    ("absent_over_time(up[10m])", "absent_over_time(up[20s])"),
    ("vector(time())", "vector(time())"),
    ("time() - t > 180", "time() - t > 6"),
    ("(time() - t) >= 45", "(time() - t) >= 1.5"),
    ("a > 0.5 and time() - t > 60", "a > 0.5 and time() - t > 2"),
    ("time() - t > 60 and a > 0.5", "time() - t > 2 and a > 0.5"),
    ("increase(x[5m]) > 0", "increase(x[10s]) > 0"),
    ("rate(x[5m]) # over 5m\n > 1", "rate(x[10s]) # over 5m\n > 1"),
    ("job:rate5m > 0.1", "job:rate5m > 0.1"),
    (
        "histogram_quantile(0.95, sum by (le) (rate(b_bucket[5m]))) > 1e-2",
        "histogram_quantile(0.95, sum by (le) (rate(b_bucket[10s]))) > 1e-2",
    ),
    ("x > +Inf", "x > +Inf"),
    ("rate(x[15s])", "rate(x[500ms])"),
    ("x > inf and time() - t > 60", "x > inf and time() - t > 2"),
    ("up == 1 and increase(x[5m]) > 0x1E", "up == 1 and increase(x[10s]) > 1"),
    ('increase(x{a="3"}[5m]) > 3 # 3', 'increase(x{a="3"}[10s]) > 0.1 # 3'),
    ("topk(3, deriv(x[5m])) > -1.5", "topk(3, deriv(x[10s])) > -45"),
    ("time() - t > 86400 * 30", "time() - t > 2880 * 30"),
    ("time() - t > (3600 + 60)", "time() - t > (120 + 2)"),
]
REFUSED = [
    ("x @ 160", "`@`"),
    ("rate(x[5m] @ start())", "`@`"),
    ("max_over_time(x[1h:1m] @ end())", "`@`"),
    ("hour() > 3", r"hour\(\)"),
    ("x and on () day_of_week() == 1", r"day_of_week\(\)"),
    ("double_exponential_smoothing(x[5m], 0.5, 0.5) > 1", r"double_exponential_smoothing\(\)"),
    ("holt_winters(x[5m], 0.5, 0.5) > 1", r"holt_winters\(\)"),
    ("increase(x[5m]) > 2 ^ 3", r"`\^`"),
    ("x_total > 5", "x_total"),
    ("rate(x[5m", "not PromQL"),
    ("rate(x[300]) > 1", "reads differently"),
]


@pytest.mark.parametrize(("expr", "wanted"), KEPT, ids=[expr for expr, _ in KEPT])
def test_every_duration_is_divided(expr: str, wanted: str) -> None:
    assert compress_expr(expr, 30) == wanted


@pytest.mark.parametrize(("expr", "word"), REFUSED, ids=[expr for expr, _ in REFUSED])
def test_what_cannot_be_kept_is_refused_by_name(expr: str, word: str) -> None:
    with pytest.raises(NotCompressible, match=word):
        compress_expr(expr, 30)


@pytest.mark.parametrize("expr", [expr for expr, _ in KEPT])
def test_speed_one_changes_nothing_that_is_asked(expr: str) -> None:
    assert compress_expr(compress_expr(expr, 1), 30) == compress_expr(expr, 30)


def test_a_wrong_rewrite_is_caught_by_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_short", lambda seconds, speed: "7s")
    with pytest.raises(NotCompressible, match="reads differently"):
        compress_expr("rate(x[5m])", 30)


WRONG = [
    "rate(x[9s]) > 5",
    "rate(x[10s]) > 6",
    "irate(x[10s]) > 5",
    "rate(y[10s]) > 5",
    "rate(x[10s]) < 5",
    "rate(x[10s]) > bool 5",
]


@pytest.mark.parametrize("after", WRONG)
def test_a_rewrite_that_changes_more_than_it_must_is_caught(after: str) -> None:
    expr = "rate(x[5m]) > 5"
    compress._verify(parse(expr), parse("rate(x[10s]) > 5"), 30, {}, expr)
    with pytest.raises(NotCompressible, match="reads differently"):
        compress._verify(parse(expr), parse(after), 30, {}, expr)


def test_a_rule_file_keeps_all_but_its_times() -> None:
    text = """
groups:
  - name: service
    interval: 15s
    rules:
      - alert: High
        expr: rate(x[5m]) > 1
        for: 2m
        keep_firing_for: 1m
        labels: {severity: critical}
        annotations: {summary: "over 5m: {{ $value | humanize }}"}
      - {record: eval_ts, expr: vector(time())}
"""
    group = YAML(typ="safe").load(compress_rules(text, 30))["groups"][0]
    alert, record = group["rules"]
    assert (group["interval"], alert["for"], alert["keep_firing_for"], alert["expr"]) == (
        "500ms",
        "4s",
        "2s",
        "rate(x[10s]) > 1",
    )
    assert alert["annotations"] == {"summary": "over 5m: {{ $value | humanize }}"}
    assert (alert["labels"], record["expr"]) == ({"severity": "critical"}, "vector(time())")


def test_an_empty_rule_file_stays_empty() -> None:
    assert YAML(typ="safe").load(compress_rules("groups: []\n", 30)) == {"groups": []}


def test_a_duration_never_becomes_nothing() -> None:
    assert compress_expr("rate(x[1ms])", 30) == "rate(x[1ms])"


def test_a_recording_rule_of_the_same_file_is_followed() -> None:
    text = """
groups:
  - name: a
    rules:
      - {record: "age", expr: "time() - t"}
      - {record: "slope", expr: "deriv(x[5m])"}
  - name: b
    rules:
      - {alert: Old, expr: "age > 300"}
      - {alert: Steep, expr: "max by (job) (slope) > 2"}
"""
    group = YAML(typ="safe").load(compress_rules(text, 30))["groups"][1]
    assert [rule["expr"] for rule in group["rules"]] == ["age > 10", "max by (job) (slope) > 60"]
