"""The tree of an expression, its numbers in the order of the text."""

import math

import pytest

from tocsin.harness.monitoring.promql.expression import (
    NotPromql,
    bare,
    constant,
    metrics,
    needed_metrics,
    parse,
    parse_or_none,
    walk,
    windows_s,
)


def test_numbers_are_counted_in_the_order_of_the_text() -> None:
    expr = "topk(3, x > -1) + on () (5 * y) > bool 7 and max_over_time(z[1h:5m] offset -1m) == Inf"
    values = [(one.place, one.value) for one in walk(parse(expr)) if one.kind == "number"]
    assert values == [(0, 3), (1, -1), (2, 5), (3, 7), (4, math.inf)]


def test_ranges_steps_and_offsets_are_seconds() -> None:
    nodes = {
        one.kind: one.durations_s for one in walk(parse("max_over_time(rate(x[5m] offset 2m)[1h:30s] offset -1m)"))
    }
    assert nodes == {"call": (), "subquery": (3600, 30, -60), "window": (300,), "selector": (120,)}


@pytest.mark.parametrize(
    ("expr", "names", "windows"),
    [
        ("up == 0", ("up",), ()),
        ("rate(a[5m]) / rate(b[1h]) > rate(a[5m])", ("a", "b"), (300, 3600)),
        ("absent({__name__='x', job=~'a|b'})", ("x",), ()),
        ("{job='a'}", (), ()),
        ("max_over_time(x[10m:1m])", ("x",), (600,)),
    ],
)
def test_metrics_and_windows(expr: str, names: tuple[str, ...], windows: tuple[float, ...]) -> None:
    assert (metrics(parse(expr)), windows_s(parse(expr))) == (names, windows)


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        ("up == 0", {"up"}),
        ('sum by (a) (rate(x{b="c"}[5m])) / (y offset 5m > 0)', {"x", "y"}),
        ('absent(up{job="z"}) or absent_over_time(gone[5m])', set()),
        ("max_over_time(q[5m:1m]) > -z unless on () (w)", {"q", "z", "w"}),
        ('topk(scalar(k), {__name__="n"})', {"k", "n"}),
        ('{__name__=~"r.*"} > 1', set()),
        ("vector(time())", set()),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[1m])))", {"h_bucket"}),
    ],
)
def test_what_an_expression_needs_leaves_out_what_may_be_absent(expr: str, names: set[str]) -> None:
    assert needed_metrics(parse(expr)) == names


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("14.4 * (1 - 0.999)", 0.0144),
        ("-(2 ^ 3) % 5", -3),
        ("vector(3) / 2", 1.5),
        ("x", None),
        ("2 * x", None),
        ("2 * time()", None),
    ],
)
def test_an_expression_of_numbers_has_a_value(expr: str, value: float | None) -> None:
    assert constant(parse(expr)) == (pytest.approx(value) if value is not None else None)


def test_a_division_by_nothing_has_no_value() -> None:
    assert math.isnan(constant(parse("1 / 0")) or 0.0)


def test_parentheses_are_taken_off() -> None:
    assert bare(parse("((x))")).name == "x"


@pytest.mark.parametrize("expr", ["", "rate(x[5m", "sum(", "5 > 3"])
def test_what_is_no_promql_is_said_so(expr: str) -> None:
    with pytest.raises(NotPromql, match="not PromQL"):
        parse(expr)
    assert parse_or_none(expr) is None
