import numpy as np
import pytest

from harness.traffic.pacers import ALL


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "rate_per_s, length_s, count",
    [(200, 0.5, 100), (3, 1, 3), (3, 1.01, 4), (0.5, 1, 1), (30, 0.7, 21), (7, 300, 2100), (100, 1.1, 110)],
)
def test_constant_sends_rate_times_length(rate_per_s, length_s, count):
    offsets = ALL["constant"](rate_per_s, length_s, rng())
    assert len(offsets) == count
    assert offsets[0] == 0
    assert np.diff(offsets) == pytest.approx(1 / rate_per_s)


@pytest.mark.parametrize("rate_per_s, length_s", [(500, 60), (5, 2000), (10_000, 1)])
def test_poisson_keeps_its_rate_and_its_spread(rate_per_s, length_s):
    mean = rate_per_s * length_s
    counts = [len(ALL["poisson"](rate_per_s, length_s, rng(seed))) for seed in range(200)]
    assert abs(np.mean(counts) - mean) < 4 * np.sqrt(mean / 200)
    assert 0.7 < np.var(counts) / mean < 1.4
    gaps = np.diff(ALL["poisson"](rate_per_s, length_s, rng())) * rate_per_s
    assert np.mean(gaps > 1) == pytest.approx(np.exp(-1), abs=0.02)


@pytest.mark.parametrize("arrivals", ALL)
@pytest.mark.parametrize("rate_per_s, length_s", [(1000, 0.0333), (0.1, 3), (17, 1.7), (400, 10)])
def test_every_offset_lies_in_the_phase(arrivals, rate_per_s, length_s):
    for seed in range(20):
        offsets = ALL[arrivals](rate_per_s, length_s, rng(seed))
        assert ((offsets >= 0) & (offsets < length_s)).all()
        assert (np.diff(offsets) >= 0).all()


def test_poisson_goes_on_when_the_gaps_are_unusually_short():
    class Hasty:
        def exponential(self, scale, size):
            return np.full(size, scale / 10)

    offsets = ALL["poisson"](100, 10, Hasty())
    assert offsets[-1] > 9.99 and np.diff(offsets) == pytest.approx(0.001)


def test_poisson_reaches_to_the_end_of_the_phase():
    last = [ALL["poisson"](100, 1.0, rng(seed))[-1] for seed in range(50)]
    assert max(last) > 0.99


@pytest.mark.parametrize("arrivals", ALL)
def test_the_same_seed_gives_the_same_times(arrivals):
    assert (ALL[arrivals](100, 10, rng(4)) == ALL[arrivals](100, 10, rng(4))).all()


def test_another_seed_gives_other_times():
    assert ALL["poisson"](100, 10, rng(4))[0] != ALL["poisson"](100, 10, rng(5))[0]
