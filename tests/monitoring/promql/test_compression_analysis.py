"""What division of time does to a value, and which numbers must follow."""

import pytest

from tocsin.harness.monitoring.promql.compress import compress_expr
from tocsin.harness.monitoring.promql.compression_analysis import Scales, analyse
from tocsin.harness.monitoring.promql.expression import NotCompressible

POWERS = [
    ("x", 0),
    ("rate(x[5m])", 0),
    ("irate(x[5m])", 0),
    ("increase(x[5m])", -1),
    ("sum by (a) (increase(x[5m])) / 60", -1),
    ("increase(x[5m]) / increase(y[5m])", 0),
    ("increase(x[5m]) * increase(y[5m])", -2),
    ("1 / increase(x[5m])", 1),
    ("increase(x[5m]) ^ 2", -2),
    ("sqrt(increase(x[5m]))", -0.5),
    ("-increase(x[5m])", -1),
    ("abs(increase(x[5m]))", -1),
    ("deriv(x[5m])", 1),
    ("predict_linear(x[1h], 60)", 0),
    ("delta(x[5m])", 0),
    ("idelta(x[5m])", 0),
    ("time() - x", -1),
    ("x - time()", -1),
    ("time() - x / 1000", -1),
    ("time() - timestamp(x)", -1),
    ("stddev(process_start_time_seconds)", -1),
    ("max_over_time((time() - x)[1h:])", -1),
    ("avg_over_time(deriv(x[5m])[1h:1m])", 1),
    ("count(increase(x[5m]))", 0),
    ("changes(x[5m])", 0),
    ("resets(x_total[5m])", 0),
    ("count_over_time(x[5m])", 0),
    ("absent(x_total)", 0),
    ("histogram_quantile(0.9, sum by (le) (increase(x_bucket[5m])))", 0),
    ("x_sum / x_count", 0),
    ("increase(x[5m]) > bool 1", 0),
    ("label_replace(increase(x[5m]), 'a', '$1', 'b', '(.*)')", -1),
    ("quantile_over_time(0.5, increase(x[5m])[1h:])", -1),
    ("stddev_over_time(increase(x[5m])[1h:])", -1),
    ("stdvar(increase(x[5m]))", -2),
    ("topk(3, increase(x[5m]))", -1),
    ("increase(x[5m]) or vector(0)", -1),
    ("increase(x[5m]) and y", -1),
    ("x_total", None),
    ("changes(x_total[5m])", None),
    ("increase(x[5m]) + rate(x[5m])", None),
    ("round(increase(x[5m]))", None),
    ("exp(increase(x[5m]))", None),
    ("increase(x[5m]) or rate(x[5m])", None),
    ("{job='a'}", None),
]


@pytest.mark.parametrize(("expr", "power"), POWERS, ids=[expr for expr, _ in POWERS])
def test_a_value_has_a_power_or_none_that_is_known(expr: str, power: float | None) -> None:
    scale = analyse(expr, Scales()).scale
    assert (scale.power, scale.moment) == (power, False)
    assert bool(scale.why) == (power is None)


MOMENTS = [
    "time()",
    "timestamp(x)",
    "process_start_time_seconds",
    "max(x_timestamp_seconds)",
    "time() - 60",
    "ALERTS_FOR_STATE",
]


@pytest.mark.parametrize("expr", MOMENTS)
def test_a_point_in_time_stays_one(expr: str) -> None:
    assert analyse(expr, Scales()).scale.moment


FOLLOW = [
    ("3 < increase(x[5m])", "0.1 < increase(x[10s])"),
    ("sum(increase(x[5m])) * 2 + 3 >= 30", "sum(increase(x[10s])) * 2 + 0.1 >= 1"),
    ("3 <= increase(x[5m]) < 6", "0.1 <= increase(x[10s]) < 0.2"),
    ("increase(x[5m]) > 2 * increase(y[5m])", "increase(x[10s]) > 2 * increase(y[10s])"),
    ("(increase(x[5m]) or vector(3)) > 6", "(increase(x[10s]) or vector(0.1)) > 0.2"),
    ("clamp_max(increase(x[5m]), 30) > 6", "clamp_max(increase(x[10s]), 1) > 0.2"),
    ("round(increase(x[5m]), 3) > 6", "round(increase(x[10s]), 0.1) > 0.2"),
    ("-increase(x[5m]) < -3", "-increase(x[10s]) < -0.1"),
    ("sum(increase(x[5m]) > bool 3) > 3", "sum(increase(x[10s]) > bool 0.1) > 3"),
    ("increase(x[5m]) == 0", "increase(x[10s]) == 0"),
    ("deriv(x[5m]) * 3600 > 2", "deriv(x[10s]) * 3600 > 60"),
    ("predict_linear(x[1h], 4 * 3600) < 5", "predict_linear(x[2m], 0.133333333333333 * 3600) < 5"),
    ("delta(x[5m]) > 3", "delta(x[10s]) > 3"),
    ("(time() - x) / 60 > 3", "(time() - x) / 60 > 0.1"),
    ("x_expiry - time() < 3600", "x_expiry - time() < 120"),
    ("time() - t - 60 > 0", "time() - t - 2 > 0"),
    ("t < time() - 60", "t < time() - 2"),
    ("process_start_time_seconds > 0", "process_start_time_seconds > 0"),
    ("time() > x", "time() > x"),
    ("changes(x[5m]) > 3", "changes(x[10s]) > 3"),
    ("changes(x_total[5m]) > 0", "changes(x_total[10s]) > 0"),
    ("x_total - y_total > 0", "x_total - y_total > 0"),
    ("rate(sum(x)[5m:1m]) > 1", "rate(sum(x)[10s:2s]) > 1"),
]


@pytest.mark.parametrize(("expr", "wanted"), FOLLOW, ids=[expr for expr, _ in FOLLOW])
def test_numbers_follow_the_value_they_meet(expr: str, wanted: str) -> None:
    assert compress_expr(expr, 30) == wanted


REFUSED = [
    ("x_total > 5", "how long its process has run"),
    ("x_total / y > 5", "how long its process has run"),
    ("changes(x_total[5m]) > 3", "fewer fall between two scrapes"),
    ("increase(x[5m]) > rate(x[5m])", "meets a value that time does not divide"),
    ("(time() - t) > y", "meets a value that time does not divide"),
    ("deriv(x[5m]) > y", "a slope meets"),
    ("ceil(increase(x[5m])) > 2", "ceil"),
    ("x_timestamp_seconds > 5", "a point in time"),
    ("sum(x_timestamp_seconds) > 5", "sum of points in time"),
    ("deriv(x_timestamp_seconds[5m]) > 5", "slope of a point in time"),
    ("{job='a'} > 5", "without a name"),
    ("predict_linear(x[1h], scalar(y)) > 5", "not a duration"),
    ("time() * x - 5 > 3", "point in time"),
    ("(a_total + rate(b[5m])) > 0", "joins|counter"),
    ("increase(x[5m]) > 1024 ^ 2", "cannot be rewritten"),
]


@pytest.mark.parametrize(("expr", "words"), REFUSED, ids=[expr for expr, _ in REFUSED])
def test_what_cannot_be_proved_is_refused(expr: str, words: str) -> None:
    with pytest.raises(NotCompressible, match=words):
        analyse(expr, Scales())


RECORDED = Scales(
    recorded={
        "slope": ("deriv(x[5m])",),
        "events": ("sum(increase(x[1h]))",),
        "age": ("time() - t",),
        "older": ("max(age)",),
        "ratio": ("rate(a[5m]) / rate(b[5m])",),
        "seen": ("max(x_at)",),
        "two": ("deriv(x[5m])", "x"),
        "loop": ("loop + 1",),
        "clock": ("hour()",),
        "total": ("sum(requests)",),
    },
    ages=("lag",),
    moments=("when",),
    events=("restarts",),
    counters=frozenset({"requests"}),
)
THROUGH = [
    ("slope > 2", "slope > 60"),
    ("events > 3", "events > 0.1"),
    ("older > 60", "older > 2"),
    ("ratio > 0.05", "ratio > 0.05"),
    ("time() - seen > 60", "time() - seen > 2"),
    ("lag > 60", "lag > 2"),
    ("age > lag", "age > lag"),
    ("time() - when > 60", "time() - when > 2"),
    ("increase(restarts[5m]) > 3", "increase(restarts[10s]) > 3"),
    ("rate(restarts[5m]) > 3", "rate(restarts[10s]) > 90"),
    ("rate(total[5m]) > 3", "rate(total[10s]) > 3"),
    ("two > 0", "two > 0"),
]


@pytest.mark.parametrize(("expr", "wanted"), THROUGH, ids=[expr for expr, _ in THROUGH])
def test_a_recorded_or_declared_name_carries_its_scale(expr: str, wanted: str) -> None:
    assert compress_expr(expr, 30, RECORDED) == wanted


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("two > 1", "divides differently"),
        ("loop > 1", "from itself"),
        ("clock > 0", "hour"),
        ("requests > 5", "counter"),
        ("when > 5", "point in time"),
    ],
)
def test_a_name_of_unknown_scale_is_refused(expr: str, words: str) -> None:
    with pytest.raises(NotCompressible, match=words):
        analyse(expr, RECORDED)
