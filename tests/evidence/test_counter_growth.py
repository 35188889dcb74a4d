import numpy as np
import pytest

from tests.evidence.build import START, build, fault
from tocsin.harness.evidence.counter_growth import Growth, measure_growth, restart_intervals
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series


def series(*values: float, first: float = 0.0) -> Series:
    """One sample each 10 s."""
    return Series(labels={"job": "ml-inference"}, t=first + 10.0 * np.arange(len(values)), v=np.array(values))


RESTART = Interval(start=22, end=25)


@pytest.mark.parametrize(
    ("values", "start", "end", "restarts", "amount", "falls"),
    [
        ((5, 7, 9), 0, 20, (), 4, 0),
        ((5, 7, 9), 5, 15, (), 4, 0),  # from the sample before to the one after
        ((5, 7, 9), 10, 20, (), 2, 0),
        ((5, 7, 9), -1, 20, (), 9, 0),  # born after the start, at 0
        ((5, 7, 9), 0, 99, (), 4, 0),
        ((5, 7, 3, 4), 0, 30, (), 6, 1),  # a fall begins again at 0, unplanned
        ((5, 7, 9, 3, 4), 0, 40, (RESTART,), 8, 0),
        ((5, 7, 9, 12, 13), 0, 40, (RESTART,), 17, 0),  # it overtook its old value before it was scraped
        ((5, 7, 9, 3, 2), 0, 40, (RESTART,), 9, 1),
        ((5, 7, 9, 9), 0, 20, (RESTART,), 4, 0),  # a restart after what is looked at
    ],
)
def test_growth(values, start, end, restarts, amount, falls):
    assert measure_growth(series(*values), start, end, restarts) == Growth(amount=amount, falls=falls)


def test_nothing_after_the_end_is_no_growth():
    assert measure_growth(series(5, 7, first=100), 0, 50) == Growth(amount=5, falls=0)


def test_only_planned_restarts_of_the_role_that_counts(tmp_path):
    kills = [
        fault("mine", "kill", "baseline", params={"role": "model"}, injected=5, effective=6, healed=9, gone=10),
        fault("other", "kill", "baseline", params={"role": "prometheus"}, injected=5, effective=6),
        fault("never", "kill", "baseline", params={"role": "model"}),
        fault("cold", "cold_start", "baseline", injected=20, effective=21),
        fault("slow", "model_raises", "baseline", params={"role": "model"}, injected=5, effective=6),
    ]
    evidence = build(tmp_path / "run", faults=kills, run={"payload_role": "model"})
    found = restart_intervals(evidence, [series(1)])
    assert found == [Interval(start=START + at, end=START + at + 1) for at in (5, 20)]


@pytest.mark.parametrize(
    ("seen", "end"),
    [({"effective": 6, "healed": 30, "gone": 33}, 33), ({"effective": 6, "healed": 30}, 30), ({"effective": 6}, 6)],
)
def test_a_crash_loop_ends_its_role_until_it_is_over(tmp_path, seen, end):
    loop = fault("loop", "crash_loop", "baseline", params={"role": "model"}, injected=5, **seen)
    evidence = build(tmp_path / "run", faults=[loop])
    assert restart_intervals(evidence, [series(1)]) == [Interval(start=START + 5, end=START + end)]
