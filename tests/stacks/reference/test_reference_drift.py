"""Drift under a clock that the test moves: distance, window, decisions, false alarms."""

import random

import numpy as np
import pytest

SHIFTED = (2, 6)


def parts():
    from service.model import SAMPLE

    with np.load(SAMPLE) as stored:
        return stored["reference"], stored["live"].astype(float)


@pytest.fixture(scope="module")
def halves():
    return parts()


def monitor(reference, window_s=300.0, seed=1):
    from service.drift import DriftMonitor
    from service.model import FEATURES

    return DriftMonitor(reference, FEATURES, window_s, seed)


def feed(drift, rows, start_s, seconds):
    for number, row in enumerate(rows):
        drift.window.add(row, start_s + seconds * number / len(rows))


def naive_distance(sample, reference):
    points = np.unique(np.concatenate([sample, reference]))
    return max(abs(np.mean(sample <= point) - np.mean(reference <= point)) for point in points)


@pytest.mark.parametrize("seed", range(60))
def test_the_distance_equals_the_naive_one_also_with_ties(seed):
    from service.drift import ks_distance

    rng = np.random.default_rng(seed)
    spread = rng.choice([2, 10, 1000])
    sample = rng.integers(0, spread, rng.integers(1, 80)).astype(float)
    reference = rng.integers(rng.integers(0, spread), 2 * spread, rng.integers(1, 300)).astype(float)
    assert ks_distance(sample, np.sort(reference)) == pytest.approx(naive_distance(sample, reference), abs=1e-12)


@pytest.mark.parametrize("sample", [[], [1.0, float("nan")]])
def test_a_distance_without_numbers_is_an_error(sample):
    from service.drift import ks_distance

    with pytest.raises(ValueError):
        ks_distance(np.array(sample), np.array([1.0, 2.0]))


def test_drift_rises_and_clears_and_stays_with_the_shifted_features(halves):
    reference, live = halves
    drift = monitor(reference)
    shifted = live.copy()
    for column in SHIFTED:
        shifted[:, column] = np.round(shifted[:, column] + 0.5 * reference[:, column].std())
    detected = []
    for number, rows in enumerate([live] * 20 + [shifted] * 20 + [live] * 20):
        start_s = 30.0 * number
        feed(drift, rows[number * 300 : number * 300 + 300], start_s, 30.0)
        states = drift.check(start_s + 30.0)
        detected.append([state.detected for state in states])
        assert all(0 <= state.score <= 1 for state in states)
    detected = np.array(detected)
    others = [column for column in range(9) if column not in SHIFTED]
    assert not detected[:, others].any() and not detected[:20].any()
    for column in SHIFTED:
        assert detected[26:40, column].all()
        assert not detected[52:, column].any()


def test_healthy_windows_raise_no_alarm(halves):
    reference, live = halves
    alarms = 0
    for seed in range(3):
        drift, rng = monitor(reference, seed=seed), np.random.default_rng(seed)
        for number in range(100):
            feed(drift, live[rng.integers(len(live), size=60)].tolist(), 30.0 * number, 30.0)
            alarms += any(state.detected for state in drift.check(30.0 * number + 30.0))
    assert alarms == 0


@pytest.mark.parametrize(("rows", "decides"), [(0, False), (199, False), (200, True), (499, True), (2000, True)])
def test_below_the_least_number_of_rows_nothing_is_decided(halves, rows, decides):
    reference, live = halves
    drift = monitor(reference)
    feed(drift, live[:rows] + 1000, 0.0, 10.0)
    states = drift.check(10.0)
    assert {state.detected for state in states} == {decides}
    assert {state.score is not None for state in states} == {decides}
    assert drift.rows == min(rows, 500)


def test_the_window_forgets_and_a_decision_with_it(halves):
    reference, live = halves
    drift = monitor(reference)
    feed(drift, live[:400] + 1000, 1000.0, 10.0)
    assert drift.check(1015.0)[0].detected and drift.check(1299.0)[0].detected
    after = drift.check(1322.0)[0]
    assert (after.score, after.detected, drift.rows) == (None, False, 0)


def test_one_broken_feature_does_not_hide_the_others(halves, monkeypatch):
    from service import drift as module

    reference, live = halves
    drift = monitor(reference)
    feed(drift, live[:400] + 1000, 0.0, 10.0)
    real = module.ks_distance
    broken = drift._sorted[3]
    monkeypatch.setattr(module, "ks_distance", lambda a, b: 1 / 0 if b is broken else real(a, b))
    states = drift.check(10.0)
    assert [state.failed for state in states] == [column == 3 for column in range(9)]
    assert [state.detected for state in states] == [column != 3 for column in range(9)]


def test_memory_is_bounded_and_the_sample_stays_uniform_over_a_window_of_uneven_rates():
    from service.drift import RowWindow

    window = RowWindow(1, 30.0, seed=3)
    for second in range(30):
        for _ in range(3000 if second < 3 else 1000):
            window.add([float(second)], second + 0.5)
    assert sum(part.rows.nbytes for part in window._slices) <= 31 * 500 * 8
    draws = np.concatenate([window.sample(29.9)[:, 0] for _ in range(40)])
    assert len(draws) == 40 * 500
    assert np.mean(draws < 3) == pytest.approx(9000 / 36000, abs=0.02)


def test_the_reservoir_of_a_slice_is_uniform():
    from service.drift import RowWindow

    firsts = 0
    for seed in range(20):
        window = RowWindow(1, 30.0, seed)
        for number in range(2000):
            window.add([float(number)], 0.5)
        firsts += int(np.sum(window.sample(0.6)[:, 0] < 1000))
    assert firsts / (20 * 500) == pytest.approx(0.5, abs=0.02)


def test_shares_of_bad_values(service):
    row = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    for _ in range(3):
        service.post("/predict", {"features": row})
    service.post("/predict", {"features": [None, float("nan"), *row[2:]]})
    from service.app import check_drift

    check_drift(service.parts)
    ratios = [service.metric("ml_feature_nan_ratio", feature=f"f{number}") for number in range(1, 10)]
    assert ratios == [0.25, 0.25] + [0.0] * 7


def test_what_a_check_exports(service, halves):
    from service.app import check_drift

    check_drift(service.parts)
    stamped = service.metric("ml_drift_last_check_timestamp_seconds")
    assert stamped > 1.7e9 and service.metric("ml_feature_drift_score", feature="f1") is None
    rows = halves[1][random.Random(1).sample(range(20_000), 400)] + 1000
    import time

    for row in rows:
        service.parts.drift.window.add(row, time.monotonic())
    check_drift(service.parts)
    assert service.metric("ml_feature_drift_score", feature="f1") == 1.0
    assert service.metric("drift_detected", feature="f1") == 1.0
    assert service.metric("ml_drift_sample_rows") == 400
    service.parts.drift.window.__init__(9, 300.0, 1)
    check_drift(service.parts)
    assert service.metric("drift_detected", feature="f1") == 0.0
    assert service.metric("ml_feature_drift_score", feature="f1") is None
    assert service.metric("ml_drift_last_check_timestamp_seconds") >= stamped
