import dataclasses

import numpy as np
import pytest

from tests.assertions.asking import KINDS, ask, says
from tests.evidence.build import START, asked, build, fault
from tocsin.assertions.load_delivered import CHECK
from tocsin.harness.declarations.load_profile import OfferedLoad


def sent(count: int, start: float, end: float, **more) -> list[dict]:
    return [asked(float(at), **more) for at in np.linspace(start, end, count, endpoint=False)]


def spread(seed: int, rate: float, start: float, end: float, **more) -> list[dict]:
    """Poisson arrivals."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(3 * rate * (end - start)) + 50)
    times = start + np.cumsum(gaps)
    return [asked(float(at), **more) for at in times[times < end]]


def phases(rate: float, arrivals: str = "constant", names: tuple[str, ...] = ("baseline", "trouble")) -> dict:
    """Phases as older runs have them: a rate, and nothing about how arrivals are spaced."""
    traffic = {"rate_per_s": rate, "arrivals": arrivals}
    plans = [{"name": name, "start_s": 0, "end_s": 60, "traffic": traffic, "payload": {}} for name in names]
    return {"phases": plans}


def declared(*curves: OfferedLoad) -> dict:
    """Phases with what they ask for."""
    plans, start_s = [], 0.0
    for name, curve in zip(("baseline", "trouble"), curves, strict=True):
        end_s = start_s + curve.length_s
        told = {"rate_per_s": 10.0, "arrivals": "poisson"}
        plans.append({"name": name, "start_s": start_s, "end_s": end_s, "traffic": told, "payload": {},
                      "asked": curve.model_dump(mode="json")})  # fmt: skip
        start_s = end_s
    return {"phases": plans}


EVEN = OfferedLoad.constant(10, 60, "constant")
FREE = OfferedLoad.constant(10, 60, "poisson")
RAMP = OfferedLoad(t_s=(0, 60), rate_per_s=(0, 20), gaps="constant")
LOOP = OfferedLoad(t_s=(0, 60), rate_per_s=(0, 0), gaps="closed", users=10, think_s=0.5)


@pytest.mark.parametrize(
    ("first", "second", "arrivals", "answer", "words"),
    [
        (600, 600, "constant", "pass", ["Asked 1200, sent 1200", "0 never sent", "schedule error p50 0.0, p99 0.0"]),
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
    [
        ([], "No request of the traffic"),
        (sent(1200, 0, 120, kind="canary"), "No request of the traffic"),
        (sent(1200, 0, 120, kind="feedback"), "No request of the traffic"),  # truth comes beside the rate
    ],
)
def test_without_records_nobody_knows(tmp_path, requests, words):
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), "unknown", words)


def test_truth_is_no_load(tmp_path):
    requests = [*sent(1200, 0, 120), *sent(600, 0, 120, kind="feedback")]
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=phases(10)), "pass", "sent 1200")


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
        (24, 0.9, "pass", "p99 900.0, most 900.0 ms"),
        (24, 1.1, "fail", ["it came late: p99 of the schedule error over 1000 ms", "p99 1100.0"]),
        (8, 5.0, "pass", "p50 0.0, p99 0.0, most 5000.0 ms"),  # fewer than one in a hundred
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


def test_during_a_fault(tmp_path):
    outage = fault("outage", "kill", "trouble", injected=70, effective=70, healed=90, gone=90)
    good, bad = sent(1200, 0, 120), [*sent(700, 0, 70), *sent(300, 90, 120)]
    for requests, answer, words in ((good, "pass", "Asked 200, sent 200"), (bad, "fail", "asked 10.0/s, sent 0.0/s")):
        about = {"requests": requests, "run": declared(EVEN, EVEN), "faults": [outage]}
        says(ask("load/delivered", tmp_path / answer, {"during": "outage"}, **about), answer, words)


def test_a_phase_that_was_never_played(tmp_path):
    run = phases(10, names=("baseline", "trouble", "recovery"))
    requests = sent(1200, 0, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=run), "unknown", "Never played: recovery")
    cut = {**run, "outcome": "interrupted by SIGINT"}
    facts = [("interrupted", 90, {"signal": "SIGINT"})]
    found = ask("load/delivered", tmp_path / "cut", {}, requests=sent(900, 0, 90), run=cut, facts=facts)
    says(found, "pass", "Asked 900, sent 900")


@pytest.mark.parametrize(("until", "answer"), [(91, "pass"), (80, "unknown")])
def test_what_follows_the_end_of_play_was_never_asked_for(tmp_path, until, answer):
    run = {**phases(10), "kinds": KINDS, "outcome": "aborted"}
    facts = [("error", 90, {"message": "aborted"}), ("clock", 97, {})]
    lengths = {"baseline": 60, "trouble": 60}
    built = build(tmp_path, phases=lengths, requests=sent(10 * until, 0, until), run=run, facts=facts)
    cut = tuple(fact for fact in built.journal if fact.fact != "play_ended")
    says(CHECK.judge(dataclasses.replace(built, journal=cut), CHECK.args()), answer, "")


def ramp(end: float = 60, **more) -> list[dict]:
    """What RAMP asks for, up to a second of it."""
    count = int(RAMP.upto(end))
    return [asked(float(at), **more) for at in RAMP.when(np.arange(count))]


SHAPES = [
    # first phase, second phase (both as asked), requests, answer, words
    (EVEN, EVEN, sent(600, 0, 60) + sent(600, 60, 120), "pass", "Asked 1200, sent 1200"),
    (FREE, FREE, spread(1, 10, 0, 60) + spread(2, 10, 60, 120), "pass", "Asked 1200"),
    (RAMP, EVEN, ramp() + sent(600, 60, 120), "pass", "Asked 1200, sent 1200"),
    # the right number at the wrong times
    (RAMP, EVEN, sent(600, 0, 60) + sent(600, 60, 120), "fail", ["baseline: ", "seconds were off, second 0 asked 0"]),
    (EVEN, EVEN, sent(600, 0, 50) + sent(600, 60, 120), "fail", "10 of 60 seconds were off, second 50 asked 10"),
    (FREE, FREE, spread(1, 10.9, 0, 55) + spread(2, 10, 60, 120), "fail", "2 of 30 stretches of 2 s were off"),
    (FREE, FREE, spread(1, 30, 0, 20) + spread(2, 10, 60, 120), "fail", "baseline: "),
    # in each second the right number, but not as spaced
    (EVEN, EVEN, [asked(k + i / 1000) for k in range(120) for i in range(10)], "fail", "away from even ones"),
    (FREE, FREE, sent(600, 0, 60) + spread(2, 10, 60, 120), "fail", ["baseline: its 599 gaps", "exponential ones"]),
    (EVEN, EVEN, spread(1, 10, 0, 60) + sent(600, 60, 120), "fail", "baseline: "),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "requests", "answer", "words"), SHAPES)
def test_what_was_asked_second_by_second_and_gap_by_gap(tmp_path, first, second, requests, answer, words):
    found = ask("load/delivered", tmp_path, {}, requests=requests, run=declared(first, second))
    says(found, answer, words)


@pytest.mark.parametrize("seed", range(4))
def test_good_poisson_arrivals_raise_no_false_alarm(tmp_path, seed):
    busy = OfferedLoad.constant(50, 60, "poisson")
    requests = spread(seed, 50, 0, 60) + spread(100 + seed, 10, 60, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=declared(busy, FREE)), "pass", "")


@pytest.mark.parametrize(("missing_s", "answer"), [(0.0, "pass"), (1.0, "fail"), (3.0, "fail")])
def test_a_second_without_a_request_is_seen_at_a_rate_that_tells(tmp_path, missing_s, answer):
    busy = OfferedLoad.constant(100, 60, "poisson")
    rows = [one for one in spread(3, 100, 0, 60) if not 20 <= one["at"] < 20 + missing_s]
    found = ask("load/delivered", tmp_path, {}, requests=rows + spread(4, 10, 60, 120), run=declared(busy, FREE))
    says(found, answer, "" if answer == "pass" else "seconds were off, second 2")


@pytest.mark.parametrize(("stall_s", "answer"), [(0.4, "pass"), (2.5, "fail")])
def test_a_stall_counts_where_it_was_made_up_for(tmp_path, stall_s, answer):
    """From 20 s on nothing is sent for a while, then all of it at once."""
    busy = OfferedLoad.constant(100, 60, "poisson")
    rows = spread(3, 100, 0, 60)
    for one in rows:
        if 20 <= one["at"] < 20 + stall_s:
            one["late_s"] = 20 + stall_s - one["at"]
    args = {"requests": rows + spread(4, 10, 60, 120), "run": declared(busy, FREE)}
    says(ask("load/delivered", tmp_path, {}, **args), answer, "" if answer == "pass" else "seconds were off, second 2")


def test_a_recording_is_counted_in_its_own_bins(tmp_path):
    counts = np.random.default_rng(0).integers(5, 15, 60)
    edges = tuple(float(at) for second in range(60) for at in (second, second + 1))
    recorded = OfferedLoad(t_s=edges, rate_per_s=tuple(float(c) for c in counts for _ in range(2)), gaps="recorded")
    rows = [asked(second + (i + 0.5) / count) for second, count in enumerate(counts) for i in range(count)]
    more = sent(600, 60, 120)
    says(ask("load/delivered", tmp_path, {}, requests=rows + more, run=declared(recorded, EVEN)), "pass", "")
    moved = [{**one, "at": 59.9 - one["at"]} for one in rows]
    found = ask("load/delivered", tmp_path / "m", {}, requests=moved + more, run=declared(recorded, EVEN))
    says(found, "fail", "of 60 seconds were off")


def loop(users: int, took_s: float, think_s: float = 0.5, **more) -> list[dict]:
    """What a closed loop of so many users sends in the first 60 s."""
    found = []
    for user in range(users):
        at = user * think_s / users
        while at < 60:
            found.append(asked(at, took_s=took_s, **more))
            at += took_s + think_s
    return found


@pytest.mark.parametrize(
    ("users", "took_s", "answer", "words"),
    [
        (10, 0.1, "pass", ["baseline: 10 users in a closed loop sent", "no rate asked", "Asked 600, sent 600"]),
        (10, 3.0, "pass", "busy or thinking 100"),  # slow answers make few requests, which is what a loop is
        (8, 0.1, "fail", "busy or thinking 80"),  # two users are missing
        (12, 0.1, "fail", "busy or thinking 12"),
    ],
)
def test_a_closed_loop_is_judged_on_its_users(tmp_path, users, took_s, answer, words):
    requests = loop(users, took_s) + sent(600, 60, 120)
    says(ask("load/delivered", tmp_path, {}, requests=requests, run=declared(LOOP, EVEN)), answer, words)


DONE = {"worker": 1, "cpu_s": 50.0, "wall_s": 120.0, "in_flight_max": 40, "in_flight_bound": 2000,
        "descriptors": 4096, "waiting_max": 3, "queue_max": 20_000}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "No limit of the generator is known to have been reached"),
        ({"cpu_s": 119.0}, ["Worker 1 used 99 % of a processor core", "use more workers or a lower rate"]),
        ({"in_flight_max": 2000}, "Worker 1 had 2000 requests in flight, its bound: use more workers"),
        ({"in_flight_max": 960, "in_flight_bound": 960, "descriptors": 1024},
         ["all that its limit of 1024 open files allows", "raise `ulimit -n`"]),
        ({"waiting_max": 20_000}, "The queue of worker 1 was full with 20000 requests"),
    ],
)  # fmt: skip
def test_the_limit_that_was_hit_is_named(tmp_path, told, words):
    requests = sent(600, 0, 60) + sent(600, 60, 120, outcome="dropped")
    facts = [("traffic_done", 121, {**DONE, **told})]
    found = ask("load/delivered", tmp_path, {}, requests=requests, run=declared(EVEN, EVEN), facts=facts)
    says(found, "fail", words)
    assert found.figures["cpu_share"] == [pytest.approx({**DONE, **told}["cpu_s"] / 120, abs=1e-3)]


def test_any_drop_is_told_also_when_it_is_within_the_tolerance(tmp_path):
    requests = sent(600, 0, 60) + sent(600, 60, 120)
    requests[100] = asked(requests[100]["at"], outcome="dropped")
    facts = [("traffic_done", 121, {**DONE, "in_flight_max": 2000})]
    found = ask("load/delivered", tmp_path, {}, requests=requests, run=declared(EVEN, EVEN), facts=facts)
    says(found, "pass", ["sent 1199 requests (1 never sent", "had 2000 requests in flight, its bound"])


LOST = {"worker": 2, "share": 0.25, "since": START + 80, "reason": "it was killed", "host": "here"}


@pytest.mark.parametrize(
    ("facts", "args", "answer", "words"),
    [
        ([("worker_lost", 85, LOST)], {}, "fail",
         "worker 2, which sends 25 % of it, was lost 80.0 wall s into play: it was killed."),
        ([("worker_lost", 85, LOST)], {"in": "baseline"}, "pass", "Asked 600"),
        ([("worker_lost", 85, {**LOST, "since": START + 20}), ("worker_back", 30, {"worker": 2, "at": START + 30})],
         {"in": "trouble"}, "pass", "Asked 600"),
        ([("worker_lost", 85, {**LOST, "since": START + 20}), ("worker_back", 30, {"worker": 3, "at": START + 30})],
         {"in": "trouble"}, "fail", "worker 2"),
        ([("worker_lost", 130, {**LOST, "since": START + 125})], {}, "pass", "Asked 1200"),  # after play
    ],
)  # fmt: skip
def test_a_lost_worker_is_a_failure_also_where_its_records_are_gone(tmp_path, facts, args, answer, words):
    gone = [("stream_lost", 121, {"stream": "requests", "worker": 2, "detail": "gone"})] if answer == "fail" else []
    requests = sent(600, 0, 60) + sent(600, 60, 120)
    about = {"requests": requests, "run": declared(EVEN, EVEN), "facts": [*facts, *gone]}
    says(ask("load/delivered", tmp_path, args, **about), answer, words)


def test_records_that_are_not_whole_are_no_answer(tmp_path):
    gone = [("stream_lost", 121, {"stream": "requests", "worker": 1, "detail": "the file is torn"})]
    requests = sent(600, 0, 60) + sent(600, 60, 120)
    found = ask("load/delivered", tmp_path, {}, requests=requests, run=declared(EVEN, EVEN), facts=gone)
    says(found, "unknown", "not whole")


def test_the_phases_of_a_plan_begin_when_the_traffic_did(tmp_path):
    """The journal's loop is a moment late; requests are due by the plan."""
    facts = [("traffic_started", 0, {"starts_at": START - 0.3})]
    requests = [{**one, "at": one["at"] - 0.3} for one in sent(600, 0, 60) + sent(600, 60, 120)]
    found = ask("load/delivered", tmp_path, {}, requests=requests, run=declared(EVEN, EVEN), facts=facts)
    says(found, "pass", "Asked 1200, sent 1200")
