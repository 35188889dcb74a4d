"""Alerting rules as values, and what rules tell of one another."""

import pytest

from tocsin.harness.monitoring.promql.expression import metrics, parse
from tocsin.harness.monitoring.promql.rule_files import alert_rules, inlined, read_as_counters, recorded, rule_groups

FILE = {
    "groups": [
        {
            "name": "a",
            "interval": "30s",
            "rules": [
                {"record": "ratio", "expr": "rate(e[5m]) / rate(n[5m])"},
                {"record": "ratio", "expr": "rate(e[5m]) / rate(n[5m])"},
                {"record": "two", "expr": "a"},
                {"record": "two", "expr": "b"},
                {"record": "top", "expr": "max(ratio)"},
                {
                    "alert": "High",
                    "expr": "top > 0.05",
                    "for": "2m",
                    "keep_firing_for": "1m",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "s"},
                },
            ],
        },
        {
            "name": "b",
            "rules": [
                {"alert": "Broken", "expr": "rate(x["},
                {"alert": "Windows", "expr": "rate(x[5m]) > rate(x[1h])"},
            ],
        },
    ]
}
GROUPS = rule_groups(FILE)


def test_an_alert_is_read_with_its_group() -> None:
    high, broken, windows = (
        alert for group in GROUPS for alert in alert_rules(group, file="a.yml", loaded=True, evaluation_s=15)
    )
    assert (high.group, high.interval_s, high.for_s, high.keep_firing_for_s) == ("a", 30, 120, 60)
    assert (high.labels, high.annotations, high.metrics) == ({"severity": "critical"}, {"summary": "s"}, ("top",))
    assert (broken.interval_s, broken.for_s, broken.metrics, broken.windows_s) == (15, 0, (), ())
    assert (windows.metrics, windows.windows_s) == (("x",), (300, 3600))


@pytest.mark.parametrize("content", [None, [], {}, {"groups": None}, {"groups": ["staff"]}, {"groups": [{"rules": 1}]}])
def test_what_is_no_rule_file_has_no_rules(content: object) -> None:
    assert not [rule for group in rule_groups(content) for rule in group.rules]


def test_recorded_names_and_their_expressions() -> None:
    assert recorded(GROUPS) == {
        "ratio": ("rate(e[5m]) / rate(n[5m])",),
        "two": ("a", "b"),
        "top": ("max(ratio)",),
    }


def test_a_recorded_name_is_read_through() -> None:
    assert metrics(inlined(parse("top > two"), recorded(GROUPS))) == ("e", "n", "two")


def test_a_name_recorded_from_itself_ends() -> None:
    assert metrics(inlined(parse("loop"), {"loop": ("loop + x",)})) == ("loop", "x")


def test_what_is_read_as_a_counter_is_one() -> None:
    assert read_as_counters(["rate(a[5m]) + b", "sum(increase(c[1h]))", "deriv(d[5m])", "rate(sum(e)[5m:])", "("]) == {
        "a",
        "c",
    }
