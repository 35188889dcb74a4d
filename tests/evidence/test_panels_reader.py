import math

import numpy as np
import pytest

from tests.evidence.panelled import panel, query, series, write_board
from tests.evidence.written_runs import START
from tocsin.harness.core.statistics import beyond_all
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.panel_movement import movement
from tocsin.harness.evidence.panels import read_panels


def test_a_dashboard_is_read_with_values_as_in_production(tmp_path):
    asked = query(series([1.0, None, "inf"]), text="time() - x[5m]", factor=30.0, left_out=2)
    write_board(tmp_path, "logs", panel("Lag", asked, unit="s", thresholds=[[300, "red"]]), count=3, step_s=0.5)
    (board,) = read_panels(tmp_path / "panels")
    (lag,) = board.panels
    assert (board.name, lag.name, lag.unit, lag.thresholds) == ("logs", "logs/Lag", "s", ((300.0, "red"),))
    values = lag.queries[0].series[0].values
    assert values[0] == 30.0 and math.isnan(values[1]) and values[2] == math.inf
    assert lag.t.tolist() == [START, START + 0.5, START + 1.0]
    assert lag.within(Interval(start=START, end=START + 0.6)).tolist() == [True, True, False]
    assert lag.queries[0].left_out == 2


@pytest.mark.parametrize(
    ("text", "source", "window_s"),
    [
        ("up", "prometheus", 0),
        ("rate(x[5m])", "prometheus", 300),
        ("sum(rate(x[1m])) / sum(rate(y[10m]))", "prometheus", 600),
        ("no [5m] promql", "elasticsearch", 0),
    ],
)
def test_how_far_back_a_value_looks(tmp_path, text, source, window_s):
    write_board(tmp_path, "a", panel("P", query(text=text, source=source)))
    assert read_panels(tmp_path / "panels")[0].panels[0].queries[0].window_s == window_s


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "a"}', '{"start": 1, "step_s": 1, "count": 1, "name": "a"}'])
def test_a_file_that_is_no_record_says_so(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    (board,) = read_panels(tmp_path)
    assert board.name == "a" and board.panels == () and "a.json cannot be read" in board.unreadable


def test_no_folder_is_no_dashboard(tmp_path):
    assert read_panels(tmp_path / "panels") == ()


@pytest.mark.parametrize(
    ("hits", "trials", "others", "chance"),
    [(0, 5, 5, 1.0), (1, 1, 1, 0.5), (1, 1, 9, 0.1), (3, 3, 2, 0.1), (2, 3, 2, 0.3), (1, 4, 0, 1.0)],
)
def test_the_chance_that_so_many_lie_above_all_others(hits, trials, others, chance):
    assert beyond_all(hits, trials, others) == pytest.approx(chance)


@pytest.mark.parametrize("wrong", [(2, 1, 1), (-1, 1, 1), (0, 1, -1)])
def test_counts_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="expected"):
        beyond_all(*wrong)


def test_that_chance_is_what_chance_does():
    rng = np.random.default_rng(1)
    values = rng.random((20_000, 12))
    seen = np.mean(np.sort(values[:, :6], axis=1)[:, -3] > values[:, 6:].max(axis=1))
    assert seen == pytest.approx(beyond_all(3, 6, 6), abs=0.01)


def test_noise_alone_seldom_moves():
    rng = np.random.default_rng(2)
    pairs = rng.normal(size=(500, 2, 20))
    moved = [movement("a", before, during, ahead=0.0).moved for before, during in pairs]
    assert sum(moved) <= 8, "at most one in a hundred, give or take"


def test_no_values_at_all_are_no_movement():
    empty = np.empty(0)
    assert not movement("a", empty, empty).moved
    assert not movement("a", np.zeros(5), np.full(5, np.nan)).moved
