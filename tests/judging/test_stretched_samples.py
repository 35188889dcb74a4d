"""What recorded samples become in production time, and how promtool is told of them."""

import numpy as np
import pytest

from tocsin.harness.evidence.metrics import Series
from tocsin.harness.judging.fidelity.stretched_samples import Stretched, ended, kind_of, notation, stretch
from tocsin.harness.monitoring.promql.compression_analysis import Scales

EPOCH = 1_700_000_000.0
NAMES = frozenset({"lat_seconds_bucket", "lat_seconds_count", "lat_seconds_sum", "rows_count", "items_sum"})


def series(t, v, name="x"):
    return Series(labels={"__name__": name}, t=EPOCH + np.array(t, dtype=float), v=np.array(v, dtype=float))


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("requests_total", 5, "counter"),
        ("lat_seconds_bucket", 5, "counter"),
        ("lat_seconds_count", 5, "counter"),
        ("lat_seconds_sum", 5, "counter"),
        ("rows_count", 5, "gauge"),  # a gauge that only looks like part of a histogram
        ("items_sum", 5, "gauge"),
        ("checked_timestamp_seconds", EPOCH, "moment"),
        ("process_start_time_seconds", EPOCH, "moment"),
        ("checked_timestamp_seconds", 0, "gauge"),  # never set: no moment to move
        ("busy_time_seconds", 12.5, "gauge"),
        ("up", 1, "gauge"),
        ("temperature_celsius", 80, "gauge"),
        ("declared_age", 4, "age"),
        ("restarts_total", 2, "gauge"),  # declared as an event: it happens as often as in production
    ],
)
def test_what_a_metric_means(name, value, kind):
    declared = Scales(ages=("declared_age",), events=("restarts_total",))
    assert kind_of(name, np.array([float(value)]), NAMES | {name}, declared) == kind


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("counter", [1, 2, np.nan], [30, 60, np.nan]),
        ("gauge", [1, np.inf], [1, np.inf]),
        ("age", [2], [60]),
        ("moment", [EPOCH - 1, EPOCH + 2, 0], [-30, 60, 0]),  # 0: not set yet
    ],
)
def test_values_at_speed_30(kind, values, expected):
    found = stretch(series(range(len(values)), values), kind, None, origin=EPOCH, speed=30)
    np.testing.assert_allclose(found.v, expected)
    np.testing.assert_allclose(found.t, 30.0 * np.arange(len(values)))


def test_a_rate_keeps_its_value():
    found = stretch(series([0, 0.5, 1.0], [0, 100, 200]), "counter", None, origin=EPOCH, speed=30)
    np.testing.assert_allclose(np.diff(found.v) / np.diff(found.t), [200, 200])


def test_what_was_recorded_before_the_origin_is_brought_to_it():
    found = stretch(series([-2, -1, 1], [7, 8, 9]), "gauge", None, origin=EPOCH, speed=10)
    assert (found.t.tolist(), found.v.tolist()) == ([0, 10], [8, 9])


@pytest.mark.parametrize(
    ("t", "scrapes", "gone"),
    [
        ([0, 1, 2], [0, 1, 2], []),
        ([0, 1], [0, 1, 2, 3], [2]),  # the target is down: one marker, at the first scrape without it
        ([0, 3], [0, 1, 2, 3], [1]),
        ([0.001, 1.001], [0, 1, 2], [2]),
        ([0.3, 1.3], [0, 1, 2], []),  # times of its own: no markers
        ([0, 1], [0, 1], []),
    ],
)
def test_where_a_stale_marker_stood(t, scrapes, gone):
    assert ended(np.array(t, dtype=float), np.array(scrapes, dtype=float)).tolist() == gone


@pytest.mark.parametrize(
    ("t", "v", "stale", "text"),
    [
        ([0, 15, 30], [1, 2.5, 3], [], "1.0 _x14 2.5 _x14 3.0"),
        ([2], [1], [], "_x2 1.0"),
        ([0, 1], [np.nan, -np.inf], [], "NaN -Inf"),
        ([0.2, 14.0001], [1, 2], [], "_x1 1.0 _x13 2.0"),  # never before its time
        ([0], [1], [15], "1.0 _x14 stale"),
        ([0, 15], [1, 2], [15], "1.0 _x14 2.0"),  # a sample outweighs a marker
        ([], [], [], ""),
    ],
)
def test_how_promtool_is_told(t, v, stale, text):
    one = Stretched(
        labels={}, t=np.array(t, dtype=float), v=np.array(v, dtype=float), stale=np.array(stale, dtype=float)
    )
    assert notation(one) == text
