"""Events per window against a threshold."""

import pytest

from tocsin.harness.planning.speed_limits import events_needed


@pytest.mark.parametrize(
    ("healthy", "threshold", "needed"),
    [
        (0.03, 0.05, 16 * 0.03 * 0.97 / 0.02**2),
        (0.0, 0.05, 20),
        (0.001, 0.05, 20),
        (0.05, 0.03, 16 * 0.05 * 0.95 / 0.02**2),
        (0.05, 0.05, float("inf")),
    ],
)
def test_a_window_must_hold_enough(healthy: float, threshold: float, needed: float) -> None:
    assert events_needed(healthy, threshold) == pytest.approx(needed)


def test_the_measured_false_alarms_are_beyond_the_limit() -> None:
    """A healthy 3 % against 5 % over 5m at 10 per second: none at K = 1, false alarms at 10 and more."""
    largest = 10 * 300 / events_needed(0.03, 0.05)
    assert 1 < largest < 10
