import numpy as np
import pytest

from tocsin.harness.evidence.metrics import Metrics, Series, at, increase, read_segments, write_segment


def pair(name, points, **labels):
    return {"__name__": name, **labels}, np.array(points, dtype=float).reshape(-1, 2)


def series(*values, start=0.0):
    return Series(labels={}, t=np.arange(len(values)) + start, v=np.array(values, dtype=float))


def test_overlapping_segments_become_one_series_with_each_sample_once(tmp_path):
    write_segment(tmp_path / "0000.npz", [pair("up", [(1, 1), (2, 1), (3, 0)], job="a"), pair("up", [(1, 1)], job="b")])
    write_segment(tmp_path / "0001.npz", [pair("up", [(3, 0), (4, 1)], job="a"), pair("new", [(4, 9)])])
    metrics = Metrics.read(tmp_path)
    (a,) = metrics.select("up", job="a")
    assert (a.t.tolist(), a.v.tolist()) == ([1, 2, 3, 4], [1, 1, 0, 1])
    assert metrics.names() == ("new", "up")
    assert metrics.select("up", job="a")[0] is a


def test_a_series_that_moves_between_segments_is_still_one(tmp_path):
    write_segment(tmp_path / "0000.npz", [pair("b", [(1, 1)])])
    write_segment(tmp_path / "0001.npz", [pair("a", [(1, 7)]), pair("b", [(2, 2)]), pair("c", [(2, 8)])])
    write_segment(tmp_path / "0002.npz", [pair("a", [(2, 7)]), pair("b", [(3, 3)]), pair("c", [(3, 8)])])
    (b,) = Metrics.read(tmp_path).select("b")
    assert (b.t.tolist(), b.v.tolist()) == ([1, 2, 3], [1, 2, 3])


def test_samples_stored_late_come_out_in_order(tmp_path):
    write_segment(tmp_path / "0000.npz", [pair("up", [(1, 1), (3, 3)])])
    write_segment(tmp_path / "0001.npz", [pair("up", [(2, 2), (3, 3), (4, 4)])])
    (up,) = Metrics.read(tmp_path).select("up")
    assert up.t.tolist() == up.v.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "jobs"),
    [({}, {"a", "b"}), ({"job": "a"}, {"a"}), ({"job": "a", "zone": "x"}, set()), ({"job": ""}, set())],
)
def test_select_matches_the_given_labels_exactly(tmp_path, wanted, jobs):
    write_segment(tmp_path / "0000.npz", [pair("up", [(1, 1)], job="a"), pair("up", [(1, 1)], job="b", zone="x")])
    assert {one.labels["job"] for one in Metrics.read(tmp_path).select("up", **wanted)} == jobs


def test_nothing_recorded_is_no_series(tmp_path):
    write_segment(tmp_path / "0000.npz", [])
    for folder in (tmp_path, tmp_path / "absent"):
        metrics = Metrics.read(folder)
        assert (metrics.names(), metrics.select("up")) == ((), [])


@pytest.mark.parametrize("keep", [0, 10, 100, 400])
def test_a_torn_segment_costs_only_itself(tmp_path, keep):
    write_segment(tmp_path / "0000.npz", [pair("up", [(1, 1)])])
    write_segment(tmp_path / "0001.npz", [pair("up", [(2, 1)])])
    torn = tmp_path / "0001.npz"
    torn.write_bytes(torn.read_bytes()[:keep])
    (tmp_path / "0002.part").write_bytes(b"half a segment")
    (up,) = Metrics.read(tmp_path).select("up")
    assert up.t.tolist() == [1]


def test_writing_leaves_only_the_segment(tmp_path):
    assert write_segment(tmp_path / "0000.npz", [pair("up", [(1, 1), (2, 1)])]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["0000.npz"]
    assert read_segments(tmp_path)[0].lines == [b'{"__name__": "up"}']


@pytest.mark.parametrize(
    ("values", "start", "end", "expected"),
    [
        ((0, 10, 20, 30), 1, 3, 20),  # from the sample at start to the one at end
        ((0, 10, 20, 30), 1.5, 2.9, 10),  # the last ones before
        ((0, 10, 20, 30), -5, 99, 30),  # born inside the window: from its first sample
        ((100, 110, 5, 8), 0, 3, 18),  # a restart: 10 + 5 + 3
        ((100, 0, 0), 0, 2, 0),  # a restart to zero adds nothing
        ((7, 7, 7), 0, 2, 0),
        ((7,), 0, 2, 0),
        ((), 0, 2, 0),
        ((0, 10), 5, 9, 0),  # over before the window: nothing grew in it
    ],
)
def test_increase(values, start, end, expected):
    assert increase(series(*values), start, end) == expected


@pytest.mark.parametrize(("t", "expected"), [(-0.1, None), (0, 4), (0.9, 4), (1, 5), (99, 5)])
def test_value_at_a_time(t, expected):
    assert at(series(4, 5), t) == expected


def test_each_segment_is_opened_once_however_many_series_it_holds(tmp_path, monkeypatch):
    names = [{"__name__": f"m{number % 250}", "le": str(number), "model_name": "x" * 40} for number in range(2500)]
    for piece in range(50):
        t = np.arange(piece * 12, piece * 12 + 13, dtype=float)
        rows = np.stack([t, t], axis=1)
        write_segment(tmp_path / f"{piece:04d}.npz", [(labels, rows) for labels in names])
    opened = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path: opened.append(path) or load(path))
    found = Metrics.read(tmp_path).select("m7")
    assert len(opened) == 50
    assert len(found) == 10
    assert all(len(one.t) == 601 for one in found)
