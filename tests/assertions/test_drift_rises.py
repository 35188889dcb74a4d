import math

import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import SIGNALS, fault, steady

F3 = 'drift_detected{feature="f3"}'
IN = {"feature": "f3", "in": "trouble", "within": 20}


def gauge(*steps: tuple[float, float], until: float = 120.2) -> list[tuple[float, float]]:
    """Samples each second from 0.2 on: (time, value) says what the value is from that time on."""
    return [(at, [value for start, value in steps if start <= at][-1]) for at, _ in steady(0, 0.2, until)]


@pytest.mark.parametrize(
    ("series", "answer", "words"),
    [
        ({F3: gauge((0, 0), (70, 1))}, "pass", ["Drift of f3 detected 10.2 s after trouble began", "bound 20 s"]),
        ({F3: [(59, 0), (80, 1), (120, 1)]}, "pass", "detected 20 s"),
        ({F3: gauge((0, 0), (80.1, 1))}, "fail", "detected only 20.2 s after"),
        ({F3: gauge((0, 0))}, "fail", "not detected 20 s after trouble began"),
        ({F3: gauge((0, 0), (50, 1), (55, 0))}, "fail", "not detected"),
        ({F3: gauge((0, 0), (50, 1))}, "unknown", "already detected"),
        ({F3: gauge((0, math.nan), (70, 1))}, "unknown", "or NaN"),
        ({F3: gauge((0, 0), (70, math.nan))}, "fail", "not detected"),
        ({F3: gauge((0, 0), until=75)}, "unknown", "ended before the bound 20 s was over"),
        ({F3: [(at, 0) for at in range(61, 120)]}, "unknown", "never sampled before trouble began"),
        ({}, "unknown", "No series"),
        ({'drift_detected{feature="f5"}': gauge((0, 0), (70, 1))}, "unknown", "No series"),
    ],
)
def test_rises(tmp_path, series, answer, words):
    says(ask("drift/rises", tmp_path, IN, series=series), answer, words)


def test_speed_and_a_restart(tmp_path):
    kill = fault("outage", "kill", "trouble", params={"role": "model"}, injected=62, effective=63, healed=68, gone=69)
    series = {F3: gauge((0, 0), (71, 1))}
    args = {**IN, "within": "5m"}
    found = ask("drift/rises", tmp_path, args, series=series, faults=[kill], speed=30.0)
    says(found, "fail", ["detected only 336 s after trouble began", "bound 300 s + 30 s for the restart of model"])
    says(ask("drift/rises", tmp_path / "no", args, series=series, speed=30.0), "fail", "(bound 300 s)")
    says(ask("drift/rises", tmp_path / "more", {**IN, "within": "6m"}, series=series, speed=30.0), "pass", "336 s")


def test_a_stack_without_drift_gauges(tmp_path):
    run = {"signals": {**SIGNALS, "drift": None}}
    says(ask("drift/rises", tmp_path, IN, series={F3: gauge((0, 0), (70, 1))}, run=run), "unknown", "No series")
