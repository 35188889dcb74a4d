import numpy as np
import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import asked


def sent(count: int, start: float, end: float, **more) -> list[dict]:
    return [asked(float(at), **more) for at in np.linspace(start, end, count, endpoint=False)]


def phases(rate: float, arrivals: str = "constant", names: tuple[str, ...] = ("baseline", "trouble")) -> dict:
    traffic = {"rate_per_s": rate, "arrivals": arrivals}
    plans = [{"name": name, "start_s": 0, "end_s": 60, "traffic": traffic, "payload": {}} for name in names]
    return {"phases": plans}


@pytest.mark.parametrize(
    ("first", "second", "arrivals", "answer", "words"),
    [
        (600, 600, "constant", "pass", ["Asked 1200, sent 1200", "0 never sent", "schedule error 0.0 ms"]),
        (570, 630, "constant", "pass", "sent 1200"),  # 5 % is allowed
        (569, 600, "constant", "fail", ["baseline: asked 10.0/s, sent 9.5/s (569 of 600, 30 may be off)"]),
        (600, 631, "constant", "fail", ["trouble: asked 10.0/s, sent 10.5/s"]),  # too much is not what was asked either
        (503, 600, "poisson", "pass", "sent 1103"),  # four standard deviations are 98
        (501, 600, "poisson", "fail", ["baseline: asked 10.0/s, sent 8.3/s", "98 may be off"]),
        (
            510,
            510,
            "poisson",
            "fail",
            ["all phases: asked 10.0/s, sent 8.5/s", "139 may be off"],
        ),  # each would do alone
        (0, 600, "poisson", "fail", "baseline: asked 10.0/s, sent 0.0/s"),
    ],
)
def test_delivered(tmp_path, first, second, arrivals, answer, words):
    requests = sent(first, 0, 60) + sent(second, 60, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10, arrivals)), answer, words)


def test_the_tolerance_is_a_share(tmp_path):
    requests = sent(480, 0, 60) + sent(600, 60, 120)
    for tolerance, answer in ((0.2, "pass"), (0.19, "fail")):
        found = ask("load/delivered", tmp_path / answer, {"tolerance": tolerance}, requests=requests, run=phases(10))
        says(found, answer, "")


def test_rates_count_wall_seconds_at_any_speed(tmp_path):
    requests = sent(1200, 0, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10), speed=30.0), "pass", "Asked 1200")


@pytest.mark.parametrize(
    ("requests", "words"),
    [([], "No request of the traffic"), (sent(1200, 0, 120, kind="canary"), "No request of the traffic")],
)
def test_without_records_nobody_knows(tmp_path, requests, words):
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), "unknown", words)


@pytest.mark.parametrize(
    ("outcome", "answer", "words"),
    [
        ("dropped", "fail", ["trouble: asked 10.0/s, sent 0.0/s", "600 never sent"]),
        ("failed", "pass", "0 never sent"),  # it was sent, and nobody took it
        ("unknown", "pass", "0 never sent"),
    ],
)
def test_outcomes(tmp_path, outcome, answer, words):
    requests = sent(600, 0, 60) + sent(600, 60, 120, outcome=outcome)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), answer, words)


@pytest.mark.parametrize(
    ("late", "late_s", "answer", "words"),
    [
        (24, 0.9, "pass", "p99 of the schedule error 900.0 ms"),
        (24, 1.1, "fail", "The load came late: 0 never sent, p99 of the schedule error 1100.0 ms, 1000 ms allowed."),
        (8, 5.0, "pass", "schedule error 0.0 ms"),  # fewer than one in a hundred
    ],
)
def test_load_that_comes_in_time_only_by_number_is_not_what_was_asked(tmp_path, late, late_s, answer, words):
    requests = sent(600, 0, 60) + sent(600 - late, 60, 114) + sent(late, 114, 114.5, late_s=late_s)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), answer, words)


def test_all_dropped(tmp_path):
    requests = sent(1200, 0, 120, outcome="dropped")
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), "fail", "no schedule error known")


def test_one_phase(tmp_path):
    requests = sent(600, 0, 60)
    says(ask("load/delivered", tmp_path, {"in": "baseline"}, requests=requests, run=phases(10)), "pass", "Asked 600")
    says(ask("load/delivered", tmp_path / "b", {"in": "trouble"}, requests=requests, run=phases(10)), "fail", "trouble")


def test_a_phase_that_was_never_played(tmp_path):
    run = phases(10, names=("baseline", "trouble", "recovery"))
    requests = sent(1200, 0, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=run), "unknown", "Never played: recovery")
    cut = {**run, "outcome": "interrupted by SIGINT"}
    facts = [("interrupted", 90, {"signal": "SIGINT"})]
    found = ask("load/delivered", tmp_path / "cut", {}, requests=sent(900, 0, 90), run=cut, facts=facts)
    says(found, "pass", "Asked 900, sent 900")
