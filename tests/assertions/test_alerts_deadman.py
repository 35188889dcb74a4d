import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import fault, notice

ARGS = {"during": "down", "within": "40s", "after": "10s"}
DOWN = fault("down", "kill", "trouble", params={"role": "prometheus"}, injected=60, effective=61, healed=100, gone=101)


def beats(start, end, every=4):
    return [notice(at, "watchdog", "Watchdog") for at in range(start, end, every)]


@pytest.mark.parametrize(
    ("args", "notices", "answer", "words"),
    [
        (
            ARGS,
            [*beats(2, 70), *beats(104, 120)],  # the last beat came at 66 s
            "pass",
            [
                "A dead man's switch at watchdog that waits 10 s would have rung 15 s after down took effect",
                "(bound 40 s",
                "the next beat came 43 s after down took effect",
            ],
        ),
        (ARGS, beats(2, 70), "pass", "no beat came again"),
        (ARGS, beats(2, 120), "fail", "would not have rung: 15 beats came after down took effect"),
        ({**ARGS, "within": "10s"}, [*beats(2, 70), *beats(104, 120)], "fail", "too late (bound 10 s"),
        ({**ARGS, "after": "50s"}, [*beats(2, 70), *beats(104, 120)], "fail", "would not have rung"),
        (
            ARGS,
            [*beats(2, 10), *beats(40, 70), *beats(104, 120)],
            "fail",
            "would have rung 45 s before down took effect, for nothing",
        ),
        (ARGS, [], "unknown", "No Watchdog reached watchdog before down took effect"),
        (
            ARGS,  # refused, told to somebody else, another alert, resolved: none of them is a beat
            [
                *beats(2, 70),
                *[notice(at, "watchdog", "Watchdog", answered=500) for at in range(70, 120, 4)],
                *[notice(at, "page", "Watchdog") for at in range(70, 120, 4)],
                *[notice(at, "watchdog", "Other") for at in range(70, 120, 4)],
                notice(72, "watchdog", "Watchdog", status="resolved"),
            ],
            "pass",
            "would have rung 15 s after",
        ),
        ({"in": "trouble", "within": "40s", "after": "10s"}, beats(2, 70), "pass", "rung 16 s after trouble began"),
    ],
)
def test_deadman(tmp_path, args, notices, answer, words):
    says(ask("alerts/deadman", tmp_path, args, notifications=notices, faults=[DOWN]), answer, words)


def test_without_a_watchdog_nobody_can_tell(tmp_path):
    signals = {"jobs": {"a": "model"}}
    says(ask("alerts/deadman", tmp_path, ARGS, faults=[DOWN], run={"signals": signals}), "unknown", "no Watchdog")
