import numpy as np
import pytest
from pydantic import ValidationError

from tocsin.harness.declarations.load_profile import OfferedLoad, load_offered_in, steps_of

RAMP = OfferedLoad(t_s=(0, 10, 20), rate_per_s=(0, 100, 100))
STAIRS = OfferedLoad(t_s=(0, 10, 10, 20), rate_per_s=(50, 50, 200, 200), gaps="constant")
PAUSE = OfferedLoad(t_s=(0, 5, 5, 15, 15, 20), rate_per_s=(10, 10, 0, 0, 10, 10))


@pytest.mark.parametrize(
    ("asked", "t_s", "count"),
    [
        (RAMP, -1, 0), (RAMP, 0, 0), (RAMP, 5, 125), (RAMP, 10, 500), (RAMP, 15, 1000), (RAMP, 20, 1500),
        (RAMP, 99, 1500),
        (STAIRS, 10, 500), (STAIRS, 11, 700), (STAIRS, 20, 2500),
        (PAUSE, 5, 50), (PAUSE, 10, 50), (PAUSE, 15, 50), (PAUSE, 16, 60),
    ],
)  # fmt: skip
def test_upto_is_the_area_below_the_rate(asked, t_s, count):
    assert asked.upto(t_s) == pytest.approx(count)


@pytest.mark.parametrize("asked", [RAMP, STAIRS, PAUSE, OfferedLoad(t_s=(0, 8), rate_per_s=(100, 20))])
def test_when_is_the_inverse_of_upto(asked):
    counts = np.linspace(0, asked.total, 1000, endpoint=False)
    when = asked.when(counts)
    assert (np.diff(when) >= 0).all() and asked.upto(when) == pytest.approx(counts, abs=1e-6)
    assert when[-1] < asked.length_s


def test_nothing_is_due_while_the_rate_is_zero():
    when = PAUSE.when(np.arange(100.0))
    assert not ((when > 5) & (when < 15)).any() and len(when[when >= 15]) == 50


def test_between_and_peak():
    assert (RAMP.between(0, 5), RAMP.between(5, 15), RAMP.peak_per_s) == (pytest.approx(125), pytest.approx(875), 100)


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 20), (0, 10), (10, 20), (3, 12), (12, 17)])
@pytest.mark.parametrize("asked", [RAMP, STAIRS, PAUSE])
def test_a_part_asks_for_what_the_whole_asks_there(asked, start_s, end_s):
    part = asked.part(start_s, end_s)
    assert part.total == pytest.approx(asked.between(start_s, end_s)) and part.length_s == end_s - start_s
    assert part.gaps == asked.gaps
    assert part.upto(1.5) == pytest.approx(asked.between(start_s, start_s + 1.5))


def test_a_part_takes_the_right_side_of_a_jump():
    assert STAIRS.part(10, 20).rate_per_s == (200, 200)
    assert STAIRS.part(0, 10).rate_per_s == (50, 50)


def test_faster_keeps_the_rates():
    fast = RAMP.faster(10)
    assert (fast.t_s, fast.rate_per_s, fast.total) == ((0, 1, 2), (0, 100, 100), pytest.approx(150))


@pytest.mark.parametrize(
    "wrong",
    [
        {"t_s": (0, 1), "rate_per_s": (1, 2, 3)},
        {"t_s": (1, 2), "rate_per_s": (1, 1)},
        {"t_s": (0, 2, 1), "rate_per_s": (1, 1, 1)},
        {"t_s": (0, 1), "rate_per_s": (1, -1)},
        {"t_s": (0, float("nan")), "rate_per_s": (1, 1)},
        {"t_s": (0,), "rate_per_s": (1,)},
        {"t_s": (0, 1), "rate_per_s": (1, 1), "gaps": "lumpy"},
    ],
)
def test_what_is_no_curve_is_refused(wrong):
    with pytest.raises(ValidationError):
        OfferedLoad.model_validate(wrong)


def test_steps_of_is_a_staircase():
    assert steps_of([0, 10, 30], [5, 7]) == ((0, 10, 10, 30), (5, 5, 7, 7))


def test_it_travels_as_json():
    assert OfferedLoad.model_validate(STAIRS.model_dump(mode="json")) == STAIRS


@pytest.mark.parametrize(
    ("phase", "total", "gaps"),
    [
        ({"traffic": {"rate_per_s": 10.0, "arrivals": "constant"}}, 600, "constant"),  # as older runs have it
        ({"traffic": {"rate_per_s": 10.0}}, 600, "poisson"),
        ({"traffic": {"rate_per_s": 10.0}, "asked": RAMP.model_dump(mode="json")}, 1500, "poisson"),
    ],
)
def test_a_phase_of_a_run_says_what_it_asked_for(phase, total, gaps):
    asked = load_offered_in(phase, 60.0)
    assert (asked.total, asked.gaps) == (pytest.approx(total), gaps)
