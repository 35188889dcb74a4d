"""Which receivers an alert reaches, as far as its labels are known."""

import pytest
from ruamel.yaml import YAML

from tocsin.harness.monitoring.alert_routes import Matcher, all_routes, parse_matchers, reached, read_route

TREE = """
receiver: root
group_wait: 10s
group_by: [alertname]
routes:
  - {receiver: watchdog, matchers: ['alertname="Watchdog"'], group_wait: 0s}
  - {receiver: audit, match_re: {team: "a|b"}, continue: true}
  - receiver: page
    match: {severity: critical}
    group_interval: 1m
    routes:
      - {receiver: night, matchers: ['shift!="day"', 'shift=~".+"']}
  - {matchers: '{severity="warning", team!~"c.*"}', repeat_interval: 1h, mute_time_intervals: [weekend]}
"""
ROOT = read_route(YAML(typ="safe").load(TREE))


def ends(**labels: str) -> list[tuple[str, bool]]:
    return [(one.route.receiver, one.sure) for one in reached(ROOT, labels)]


KNOWN = {"alertname": "A", "team": "x", "severity": "none", "shift": ""}


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({}, [("root", True)]),
        ({"alertname": "Watchdog"}, [("watchdog", True)]),
        ({"severity": "critical"}, [("page", True)]),
        ({"severity": "critical", "shift": "late"}, [("night", True)]),
        ({"severity": "critical", "shift": "day"}, [("page", True)]),
        ({"team": "a", "severity": "critical"}, [("audit", True), ("page", True)]),
        ({"team": "a"}, [("audit", True)]),
        ({"team": "ab"}, [("root", True)]),
        ({"severity": "warning", "team": "cat"}, [("root", True)]),
        ({"severity": "warning"}, [("root", True)]),
    ],
)
def test_the_deepest_match_decides(labels: dict[str, str], wanted: list[tuple[str, bool]]) -> None:
    assert ends(**{**KNOWN, **labels}) == wanted


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"severity": "critical", "team": "x"}, [("night", False), ("page", False)]),
        ({"severity": "critical", "shift": ""}, [("audit", False), ("page", True)]),
        ({"team": "x", "shift": ""}, [("page", False), ("root", False), ("root", False)]),
    ],
)
def test_a_label_nobody_knows_leaves_it_open(labels: dict[str, str], wanted: list[tuple[str, bool]]) -> None:
    assert ends(alertname="A", **labels) == wanted


def test_timers_are_inherited_with_alertmanagers_defaults() -> None:
    found = {(one.receiver, one.intervals): one for one in all_routes(ROOT)}
    night = found["night", ()]
    assert (night.group_wait_s, night.group_interval_s, night.repeat_interval_s) == (10, 60, 14400)
    assert found["root", ("weekend",)].repeat_interval_s == 3600
    assert night.group_by == ("alertname",)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('severity="page"', [("severity", "=", "page")]),
        ("severity=page", [("severity", "=", "page")]),
        ('{a="b", c!~"d|e,f"}', [("a", "=", "b"), ("c", "!~", "d|e,f")]),
        ('"a b"="c\\"d"', [("a b", "=", 'c"d')]),
        ('a=""', [("a", "=", "")]),
        ("{}", []),
    ],
)
def test_matchers_in_every_notation(text: str, wanted: list[tuple[str, str, str]]) -> None:
    assert [(one.label, one.op, one.value) for one in parse_matchers(text)] == wanted


def test_what_is_no_matcher_is_refused() -> None:
    with pytest.raises(ValueError, match="no matcher"):
        parse_matchers("severity")


def test_a_pattern_that_python_does_not_know_leaves_it_open() -> None:
    assert Matcher(label="a", op="=~", value="(?P>x)").holds({"a": "b"}) is None
