"""How long an expression needs, from what is known of the fault and of the history before it."""

from dataclasses import replace

import pytest

from tocsin.harness.declarations.stack_signals import Signals
from tocsin.harness.monitoring.promql.compression_analysis import Scales
from tocsin.harness.monitoring.promql.expression import parse
from tocsin.harness.planning.time_to_true import Situation, need

DRIFT = {
    "score": {"metric": "score", "label": "feature"},
    "detected": {"metric": "drift", "label": "feature"},
    "checked": {"metric": "checked_timestamp_seconds", "every": "30s"},
    "window": "5m",
}


def now(share: float | None = 0.3, history_s: float = 3600, window: str | None = "5m") -> Situation:
    signals = Signals.model_validate({"jobs": {}, "drift": {**DRIFT, "window": window}})
    return Situation(share=share, history_s=history_s, scrape_s=15, scales=Scales(), signals=signals)


def ratio(threshold: float, window: str) -> str:
    return f'rate(n_total{{s="e"}}[{window}]) / rate(n_total[{window}]) > {threshold}'


@pytest.mark.parametrize(
    ("expr", "share", "history_s", "least", "most"),
    [
        (ratio(0.05, "5m"), 0.3, 3600, 47.5, 50),
        (ratio(0.05, "5m"), 1.0, 3600, 14.25, 15),
        (ratio(0.05, "5m"), None, 3600, 14.25, 300),
        (ratio(0.0144, "1h"), 1.0, 600, 600 * 0.0144 / 0.9856, 615 * 0.0144 / 0.9856),
        (ratio(0.05, "5m"), 0.3, 0, 0, 3),
        (f"{ratio(0.0144, '1h')} and {ratio(0.0144, '5m')}", 1.0, 7200, 51.624, 51.84),
        (f"{ratio(0.05, '5m')} or {ratio(0.05, '1h')}", 0.3, 7200, 47.5, 50),
        (f"{ratio(0.05, '5m')} unless absent(up)", 0.3, 7200, 47.5, 50),
        ("up == 0", 0.3, 3600, 0, 0),
        ("rate(e[5m]) > 3", 0.3, 3600, 0, 300),
        ("max_over_time(rate(e[5m])[1h:]) > 3", 0.3, 7200, 0, 3600),
        ("absent_over_time(x[5m])", 0.3, 0, 285, 300),
        ("time() - t > 180", 0.3, 3600, 0, 180),
        ("180 < time() - max(t)", 0.3, 3600, 0, 180),
        ("time() - checked_timestamp_seconds > 180", 0.3, 3600, 150, 180),
        ("drift == 1", 0.3, 3600, 0, 330),
        ("max_over_time(score[1m]) > 0.2", 0.3, 3600, 0, 390),
        ("last_over_time(x[6h]) unless x", 0.3, 3600, 0, 0),
        ("last_over_time(x[6h]) > rate(y[5m])", 0.3, 3600, 0, 300),
    ],
)
def test_a_need_is_reckoned(expr: str, share: float | None, history_s: float, least: float, most: float) -> None:
    found = need(parse(expr), now(share, history_s))
    assert (found.least, found.most) == (pytest.approx(least), pytest.approx(most))
    assert not found.hopeless


@pytest.mark.parametrize(
    ("expr", "history_s", "cold_s"),
    [
        (ratio(0.05, "5m"), 3600, 0),
        (ratio(0.05, "5m"), 120, 47.5 - 24),
        ("rate(e[1h]) > 3", 600, 0),
        ("changes(up[1h]) > 3", 600, 0),
        ("avg_over_time(g[1h]) > 3", 600, 3000),
        ("deriv(g[1h:]) > 3", 600, 3000),
        ("up == 0", 0, 0),
    ],
)
def test_a_short_history_is_told(expr: str, history_s: float, cold_s: float) -> None:
    assert need(parse(expr), now(0.3, history_s)).cold_s == pytest.approx(cold_s)


@pytest.mark.parametrize(
    ("expr", "hopeless"),
    [
        (ratio(0.3, "5m"), True),
        (ratio(0.29, "5m"), False),
        (f"{ratio(0.5, '1h')} and {ratio(0.05, '5m')}", True),
        (f"{ratio(0.5, '1h')} or {ratio(0.05, '5m')}", False),
    ],
)
def test_a_share_below_the_threshold_never_fires(expr: str, hopeless: bool) -> None:
    assert bool(need(parse(expr), now(0.3)).hopeless) is hopeless


def test_accuracy_follows_with_the_services_own_window() -> None:
    signals = Signals.model_validate({"jobs": {}, "accuracy": {"metric": "accuracy", "label": "m"}})
    situation = replace(now(), signals=signals, largest_timer_s=600)
    assert need(parse("accuracy < 0.9"), situation).most == 600
    assert need(parse("other < 0.9"), situation).most == 0


def test_a_drift_window_that_is_not_declared_is_said_so() -> None:
    assert "largest timer" in need(parse("drift == 1"), now(window=None)).note
