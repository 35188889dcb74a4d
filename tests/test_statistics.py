import math

import pytest

from harness.statistics import clopper_pearson, quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([3, 1, 2], 0.0, 1),
        ([3, 1, 2], 0.5, 2),
        ([3, 1, 2], 1.0, 3),
        ([1, 2, 3, 4], 0.5, 2),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 0.991, 100),
        (list(range(1, 1001)), 0.999, 999),
    ],
)
def test_quantile_is_a_value_that_was_seen(values, share, expected):
    assert quantile(values, share) == expected


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 1.1), ([1], -0.1)])
def test_quantile_refuses(values, share):
    with pytest.raises(ValueError):
        quantile(values, share)


@pytest.mark.parametrize(
    ("hits", "trials", "confidence", "low", "high"),
    [
        (0, 0, 0.95, 0.0, 1.0),
        (0, 10, 0.95, 0.0, 1 - 0.025 ** (1 / 10)),  # closed forms at both ends
        (10, 10, 0.95, 0.025 ** (1 / 10), 1.0),
        (1, 1, 0.9, 0.05, 1.0),
        (8, 10, 0.95, 0.443905, 0.974789),  # published tables
        (50, 100, 0.95, 0.398321, 0.601679),
        (0, 300, 0.9, 0.0, 0.009936),  # 0 of 300 proves at most 1 %, one-sided at 95 %
    ],
)
def test_clopper_pearson(hits, trials, confidence, low, high):
    found = clopper_pearson(hits, trials, confidence)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("hits", "trials"), [(3, 40), (20, 40), (39, 40), (7, 1000)])
def test_each_bound_leaves_its_tail(hits, trials):
    low, high = clopper_pearson(hits, trials)

    def at_most(k: int, p: float) -> float:
        return sum(math.comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in range(k + 1))

    assert at_most(hits, high) == pytest.approx(0.025, rel=1e-9)
    assert 1 - at_most(hits - 1, low) == pytest.approx(0.025, rel=1e-6)


def test_many_trials_stay_quick_and_close_to_the_share():
    low, high = clopper_pearson(50_000, 200_000)
    assert 0.2481 < low < 0.25 < high < 0.2520


@pytest.mark.parametrize(("hits", "trials", "confidence"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 0.0), (1, 5, 1.0)])
def test_clopper_pearson_refuses(hits, trials, confidence):
    with pytest.raises(ValueError):
        clopper_pearson(hits, trials, confidence)
