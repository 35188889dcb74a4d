import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import firing
from tests.evidence.rendered import alert, write

ARGS = {"first": "TargetDown", "then": "HighErrorRate", "in": "trouble"}


def down(start):
    return firing("TargetDown", start=start, end=110)


def errors(start):
    return firing("HighErrorRate", start=start, end=110)


@pytest.mark.parametrize(
    ("series", "answer", "words"),
    [
        (down(70) | errors(80), "pass", "TargetDown fired 10 s before HighErrorRate."),
        (down(70) | errors(70.9), "pass", "within one evaluation (1 s)"),
        (down(70.9) | errors(70), "pass", "within one evaluation (1 s)"),  # never a coin toss
        (down(72.1) | errors(70), "fail", "HighErrorRate fired 2.1 s before TargetDown."),
        (errors(70), "fail", "HighErrorRate fired, and TargetDown never did."),
        (down(70), "unknown", "HighErrorRate never fired"),
        ({}, "unknown", "HighErrorRate never fired"),
        (down(50) | errors(80), "unknown", "TargetDown was already firing"),
        (down(70) | firing("HighErrorRate", pending=65, start=80, end=110), "pass", "10 s before"),
    ],
)
def test_order(tmp_path, series, answer, words):
    says(ask("alerts/order", tmp_path, ARGS, series=alive(series)), answer, words)


def test_the_tolerance_is_that_of_the_slowest_group(tmp_path):
    write(tmp_path / "run", alert("TargetDown"), alert("HighErrorRate"), group={"interval": "5s"})
    series = firing("TargetDown", start=74, end=110, every=5) | firing("HighErrorRate", start=70, end=110, every=5)
    says(ask("alerts/order", tmp_path, ARGS, series=alive(series)), "pass", "within one evaluation (5 s)")
