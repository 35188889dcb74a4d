import math

import numpy as np
import pytest

from tocsin.harness.core.statistics import (
    binomial_at_most,
    clopper_pearson,
    distance,
    distance_allowed,
    poisson_surprise,
    quantile,
    trials_needed,
)


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


def test_quantile_of_an_array_is_that_of_its_list():
    values = np.random.default_rng(0).random(1001)
    assert [quantile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [
        quantile(values.tolist(), share) for share in (0.0, 0.5, 0.99, 1.0)
    ]


@pytest.mark.parametrize(("trials", "share"), [(1, 0.3), (10, 0.5), (40, 0.01), (40, 0.93)])
def test_binomial_at_most_is_the_sum_of_its_terms(trials, share):
    total = 0.0
    for hits in range(trials + 1):
        total += math.comb(trials, hits) * share**hits * (1 - share) ** (trials - hits)
        assert binomial_at_most(hits, trials, share) == pytest.approx(total, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("hits", "trials", "share", "expected"),
    [(-1, 5, 0.5, 0.0), (5, 5, 0.5, 1.0), (0, 0, 0.5, 1.0), (0, 5, 0.0, 1.0), (4, 5, 1.0, 0.0)],
)
def test_binomial_at_most_at_its_ends(hits, trials, share, expected):
    assert binomial_at_most(hits, trials, share) == expected


@pytest.mark.parametrize(("trials", "share"), [(5, 1.1), (5, -0.1), (-1, 0.5)])
def test_binomial_at_most_refuses(trials, share):
    with pytest.raises(ValueError):
        binomial_at_most(0, trials, share)


@pytest.mark.parametrize(
    ("seen", "allowed", "confidence", "needed"),
    [(0, 0.01, 0.99, 459), (0, 0.001, 0.99, 4603), (0, 0.05, 0.95, 59), (0.01, 0.01, 0.99, None),
     (0.02, 0.01, 0.99, None), (0.00999999, 0.01, 0.99, None)],
)  # fmt: skip
def test_trials_needed(seen, allowed, confidence, needed):
    assert trials_needed(seen, allowed, confidence) == needed


def test_so_many_trials_prove_it_and_half_of_them_do_not():
    needed = trials_needed(0.005, 0.01, 0.99)
    assert binomial_at_most(math.ceil(0.005 * needed), needed, 0.01) <= 0.01
    assert binomial_at_most(math.ceil(0.0025 * needed), needed // 2, 0.01) > 0.01


def test_ten_million_trials_are_told_quickly_and_closely():
    """Against the normal law, which is close there."""
    sigma = math.sqrt(10**7 * 0.01 * 0.99)
    for sigmas in (-3, 0, 3):
        normal = 0.5 * (1 + math.erf(sigmas / math.sqrt(2)))
        assert binomial_at_most(round(100_000 + sigmas * sigma), 10**7, 0.01) == pytest.approx(normal, abs=2e-3)


@pytest.mark.parametrize("mean", [0.5, 10.0, 200.0])
def test_surprise_bounds_the_chance_on_both_sides(mean):
    terms = [math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(400)]
    for count in (0, int(0.5 * mean), int(mean), int(1.5 * mean), int(mean) + 40):
        chance = sum(terms[: count + 1]) if count < mean else sum(terms[count:])
        (surprise,) = poisson_surprise(np.array([count]), np.array([mean]))
        assert chance <= math.exp(-surprise) * (1 + 1e-9)
        assert count in (0, int(mean)) or surprise > 0 or mean < 1


def test_surprise_where_nothing_is_expected():
    assert poisson_surprise(np.array([0, 3, 0]), np.array([0.0, 0.0, 7.0])).tolist() == [0.0, math.inf, 7.0]


def test_distance_is_the_largest_step_between_sample_and_law():
    assert distance(np.array([0.5])) == 0.5
    assert distance((np.arange(100) + 0.5) / 100) == pytest.approx(0.005)
    assert distance(np.full(10, 0.9)) == pytest.approx(0.9)


def test_the_allowed_distance_holds_and_is_not_much_too_large():
    rng = np.random.default_rng(1)
    far = [distance(rng.random(200)) for _ in range(2000)]
    over = np.mean(np.array(far) > distance_allowed(200, 0.05))
    assert 0.01 < over <= 0.065
