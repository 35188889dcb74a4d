"""Comparisons of a share of the requests with a threshold, in every form they are written."""

import pytest

from tocsin.harness.monitoring.promql.expression import parse
from tocsin.harness.monitoring.promql.ratio_thresholds import shares

ERRORS = 'sum by (m) (rate(n_total{status="error"}[5m]))'
GOOD = 'sum(rate(n_total{status="success"}[5m]))'
ALL = "sum by (m) (rate(n_total[5m]))"
FAST = 'sum(rate(d_seconds_bucket{le="0.1"}[5m]))'


@pytest.mark.parametrize(
    ("expr", "threshold", "good"),
    [
        (f"{ERRORS} / {ALL} > 0.05", 0.05, False),
        (f"0.05 <= {ERRORS} / ({ALL} > 0)", 0.05, False),
        (f"100 * {ERRORS} / {ALL} > 5", 0.05, False),
        (f"({ERRORS} / {ALL}) * 100 > 14.4 * 0.1", 0.0144, False),
        (f"{GOOD} / {ALL} < 0.95", 0.05, True),
        (f"1 - {GOOD} / {ALL} > 0.05", 0.05, True),
        (f"100 * (1 - {GOOD} / {ALL}) > 5", 0.05, True),
        (f"1 - {ERRORS} / {ALL} < 0.95", 0.05, False),
        (f"1 - {FAST} / (sum(rate(d_seconds_count[5m])) > 0) > 0.05", 0.05, True),
    ],
)
def test_a_share_is_read_in_every_form(expr: str, threshold: float, good: bool) -> None:
    (share,) = shares(parse(expr))
    assert (round(share.threshold, 9), share.window_s, share.good) == (threshold, 300, good)


@pytest.mark.parametrize(
    "expr",
    [
        "up == 0",
        f"{ERRORS} > 0.05",
        f"{ERRORS} / sum(rate(other_total[5m])) > 0.05",
        f"{ERRORS} / sum(rate(n_total[1h])) > 0.05",
        f"{ERRORS} / {ALL}",
        f"{ERRORS} / {ALL} == 0.05",
        f"{ERRORS} / {ALL} > other",
        "n_total / n_total > 0.5",
    ],
)
def test_anything_else_is_none(expr: str) -> None:
    assert shares(parse(expr)) == ()


def test_all_of_an_expression_are_found() -> None:
    hour = f"{ERRORS} / {ALL} > 0.1".replace("5m", "1h")
    assert [one.window_s for one in shares(parse(f"{hour} and {ERRORS} / {ALL} > 0.1"))] == [3600, 300]


@pytest.mark.parametrize(
    ("matcher", "wanted"),
    [('status="error"', True), ('status="success"', False), ('status!="error"', False), ("", True)],
)
def test_a_part_picks_series_by_its_matchers(matcher: str, wanted: bool) -> None:
    (share,) = shares(parse(f"rate(n_total{{{matcher}}}[5m]) / rate(n_total[5m]) > 0.5"))
    assert share.picks({"status": "error"}) is wanted
