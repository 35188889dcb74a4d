"""When each request of a plan is due and which number it has; what it holds is the payloads' matter (a stand-in)."""

import json
import math
import tracemalloc
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.load_profile import OfferedLoad
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic import request_schedule
from tocsin.harness.traffic.load_plan import CanaryPlan, TrafficPlan, read_plan
from tocsin.harness.traffic.payloads import load_sample
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import BLOCK, FEEDBACK_INDEX, Due, loads

RAMP = {"t_s": [0, 4], "rate_per_s": [0, 2000]}
PHASES = [
    {"name": "calm", "start_s": 0, "end_s": 2, "rate_per_s": 100, "arrivals": "poisson"},
    {"name": "even", "start_s": 2, "end_s": 3, "rate_per_s": 50, "arrivals": "constant"},
    {"name": "ramp", "start_s": 3, "end_s": 7, "asked": RAMP},
]
TRUTH = Form(path="/feedback")


@dataclass
class Truth:
    """Delayed truth, as the payloads declare it."""

    delay_s: float
    form: Form = TRUTH

    def body(self, request_id, truth):
        return f"{request_id}={truth}".encode()


class FakeContent:
    """Numbers its requests; every third asks for feedback, if there is any."""

    def __init__(self, feedback=None):
        self.forms = (Form(path="/predict"),)
        self.feedback = feedback
        self.firsts = []

    def batch(self, first, at_s):
        self.firsts.append((first, len(at_s)))
        zeros = np.zeros(len(at_s), np.uint8)
        return SimpleNamespace(
            kinds=zeros, forms=zeros, truth=np.full(len(at_s), 5), body=lambda i: b"%d" % (first + i),
            feedback=[number % 3 == 0 for number in range(first, first + len(at_s))],
        )  # fmt: skip


@pytest.fixture
def make(plan, monkeypatch):
    def build(feedback=(), **more):
        made = []

        def content(payload, sample, *, seed, speed):
            made.append(FakeContent(Truth(feedback[len(made)]) if feedback else None))
            return made[-1]

        monkeypatch.setattr(request_schedule, "content", content)
        settings = {**plan, "address": "127.0.0.1:1", "seed": 7, "phases": PHASES, **more}
        return loads(TrafficPlan.model_validate(settings), None)

    return build


def requests(phases) -> list[Due]:
    return [due for phase in phases for due in phase.requests()]


def test_the_same_seed_gives_the_same_requests(make):
    assert requests(make()) == requests(make()) != requests(make(seed=8))


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("feedback", [(), (0.3, 0.0, 1.0)])
def test_workers_share_the_same_load(make, workers, feedback):
    whole = requests(make(feedback))
    parts = [requests(make(feedback, workers=workers, worker=worker)) for worker in range(1, workers + 1)]
    assert all(due.index % FEEDBACK_INDEX % workers == place for place, part in enumerate(parts) for due in part)
    assert all([due.at_s for due in part] == sorted(due.at_s for due in part) for part in parts)

    def known(due):
        own = due.kind == KINDS.index("feedback")
        return (due.index, due.at_s, due.kind, due.form, due.body.split(b"-")[-1] if own else due.body)

    assert sorted(map(known, whole)) == sorted(known(due) for part in parts for due in part)


def test_numbers_go_on_from_phase_to_phase(make):
    phases = make()
    assert [due.index for due in requests(phases)] == list(range(sum(phase.count for phase in phases)))


def test_phases_meet_exactly(make):
    calm, even, ramp = ([due.at_s for due in phase.requests()] for phase in make())
    assert calm[0] > 0 and calm[-1] < 2 == even[0] and even[-1] < 3 < ramp[0] and ramp[-1] < 7
    assert np.diff(even) == pytest.approx(0.02) and len(even) == 50


def test_another_rate_does_not_change_the_numbers_nor_another_phase(make):
    faster = make(phases=[{**PHASES[0], "rate_per_s": 200}, *PHASES[1:]])
    ours, theirs = make(), faster
    assert [due.at_s for due in ours[2].requests()] == [due.at_s for due in theirs[2].requests()]


def test_a_payload_is_asked_for_in_whole_blocks_by_every_worker(make):
    phases = [{**PHASES[0], "end_s": 100, "rate_per_s": 100}]
    for worker in (1, 3):
        (phase,) = make(phases=phases, workers=3, worker=worker)
        list(phase.requests())
        firsts = phase.content.firsts
        assert [first for first, _ in firsts] == list(range(0, phase.count, BLOCK))
        assert {count for _, count in firsts[:-1]} == {BLOCK} and sum(count for _, count in firsts) == phase.count


@pytest.mark.parametrize("gaps", ["poisson", "constant"])
def test_arrivals_follow_the_rate(make, gaps):
    asked = {**RAMP, "gaps": gaps}
    (phase,) = make(phases=[{"name": "ramp", "start_s": 10, "end_s": 14, "asked": asked}])
    at_s = np.array([due.at_s for due in phase.requests()]) - 10
    curve = OfferedLoad.model_validate(asked)
    gone = np.diff(curve.upto(at_s))
    if gaps == "constant":
        assert len(at_s) == 4000 and gone == pytest.approx(1, abs=1e-6)
    else:
        assert len(at_s) == pytest.approx(4000, abs=4 * math.sqrt(4000))
        gone = np.sort(gone)
        assert np.abs(1 - np.exp(-gone) - np.arange(len(gone)) / len(gone)).max() < 0.04
    assert len(at_s[at_s < 2]) == pytest.approx(1000, abs=130)


def test_the_spread_of_counts_is_that_of_a_poisson_process(make):
    phases = [{**PHASES[0], "end_s": 1, "rate_per_s": 500}]
    counts = [make(phases=phases, seed=seed)[0].count for seed in range(200)]
    assert abs(np.mean(counts) - 500) < 4 * math.sqrt(500 / 200) and 0.7 < np.var(counts) / 500 < 1.4


@pytest.mark.parametrize("rate_per_s, length_s, count", [(200, 0.5, 100), (3, 1, 3), (3, 1.01, 4), (0.5, 1, 1),
                                                         (30, 0.7, 21), (7, 300, 2100), (100, 1.1, 110)])  # fmt: skip
def test_constant_sends_rate_times_length(make, rate_per_s, length_s, count):
    phases = [{"name": "a", "start_s": 0, "end_s": length_s, "rate_per_s": rate_per_s, "arrivals": "constant"}]
    (phase,) = make(phases=phases)
    at_s = [due.at_s for due in phase.requests()]
    assert (phase.count, at_s[0]) == (count, 0) and np.diff(at_s) == pytest.approx(1 / rate_per_s)


def test_no_request_crosses_a_phase_edge_by_rounding(make):
    third = 1 / 3
    phases = [{"name": "a", "arrivals": "constant", "start_s": third, "end_s": 2 * third, "rate_per_s": 3000}]
    at_s = [due.at_s for due in requests(make(phases=phases))]
    assert at_s[0] == third and at_s[-1] < 2 * third and len(at_s) == 1000
    phases = [{"name": "a", "start_s": 1e9, "end_s": 1e9 + 1, "rate_per_s": 50_000}]
    assert max(due.at_s for due in requests(make(phases=phases))) < 1e9 + 1


def test_a_recording_is_played_from_where_its_shape_stands(make, tmp_path):
    path = tmp_path / "arrivals.txt"
    path.write_text("0\n1\n2.5\n2.5\n4\n9\n")
    recording = {"path": str(path), "from_s": 1, "speed": 1}
    asked = {"t_s": [0, 4], "rate_per_s": [1, 1], "gaps": "recorded"}
    (phase,) = make(phases=[{"name": "a", "start_s": 5, "end_s": 9, "asked": asked, "recording": recording}])
    assert [due.at_s for due in phase.requests()] == [5, 6.5, 6.5, 8]


def test_truth_follows_its_prediction_also_into_the_next_phase(make):
    phases = [
        {"name": "a", "start_s": 0, "end_s": 1, "rate_per_s": 9, "arrivals": "constant"},
        {"name": "b", "start_s": 1, "end_s": 2, "rate_per_s": 9, "arrivals": "constant"},
    ]
    dues = requests(make((0.8, 0.8), phases=phases))
    assert [due.at_s for due in dues] == sorted(due.at_s for due in dues)
    truths = [due for due in dues if due.kind == KINDS.index("feedback")]
    assert [due.index - FEEDBACK_INDEX for due in truths] == [0, 3, 6, 9]  # the last two would come after the end
    assert [round(due.at_s, 6) for due in truths] == [round(about / 9 + 0.8, 6) for about in (0, 3, 6, 9)]
    assert truths[0].body == b"drill-1-1-0=5" and {due.form for due in truths} == {1}


def test_a_closed_loop_has_no_times_and_keeps_numbers_free(make):
    closed = {"t_s": [0, 10], "rate_per_s": [0, 0], "gaps": "closed", "users": 5, "think_s": 0.5}
    phases = [{"name": "loop", "start_s": 0, "end_s": 10, "asked": closed}, {**PHASES[1], "start_s": 10, "end_s": 11}]
    loop, even = make(phases=phases, workers=2, worker=2)
    assert loop.closed and (loop.closed.users, loop.closed.think_s) == (2, 0.5)
    assert [loop.closed.first_s(user) for user in range(2)] == [pytest.approx(0.1), pytest.approx(0.3)]
    first = [due for due, _ in zip(loop.requests(), range(4), strict=False)]
    assert [due.index for due in first] == [1, 3, 5, 7] and all(math.isnan(due.at_s) for due in first)
    assert min(due.index for due in even.requests()) >= 5 * 10 / 0.5
    assert make(phases=phases)[0].closed.users == 5
    assert even.closed is None


def test_memory_does_not_grow_with_the_number_of_requests(make):
    phases = [{**PHASES[0], "end_s": 100, "rate_per_s": 10_000}]
    tracemalloc.start()
    try:
        (phase,) = make(phases=phases)
        for _ in zip(phase.requests(), range(3 * BLOCK), strict=False):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert phase.count > 900_000 and peak < 4_000_000


@pytest.mark.parametrize(
    "change, says",
    [
        ({"run_id": "Not_one"}, "run_id"),
        ({"phases": []}, "at least 1"),
        ({"phases": [{**PHASES[0], "arrivals": "bursts"}]}, "'poisson', 'constant', 'recorded' or 'closed'"),
        ({"phases": [{**PHASES[0], "rate_per_s": -1}]}, "rate_per_s"),
        ({"phases": [{"name": "a", "start_s": 0, "end_s": 1}]}, "asked"),
        ({"worker": 3, "workers": 2}, "worker 3 of 2"),
        ({"surprise": 1}, "not permitted"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, plan, change, says):
    whole = {**plan, "address": "127.0.0.1:1", "phases": PHASES, **change}
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(StackError, match=says):
        read_plan(TrafficPlan, path)


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StackError, match=r"nowhere\.json is not a plan"):
        read_plan(CanaryPlan, tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "payload",
    [{}, {"shift": "mean", "features": ["f1"], "by_sd": 0.5}, {"faulty": ["nan", "broken_json"], "share": 0.2}],
)
def test_real_payloads_are_the_same_on_one_worker_and_on_four(plan, payload):
    phases = [{**PHASES[0], "end_s": 60, "payload": payload}, {**PHASES[2], "start_s": 60, "end_s": 64}]

    def sent(worker, workers):
        settings = {**plan, "address": "127.0.0.1:1", "seed": 7, "phases": phases, "worker": worker, "workers": workers}
        model = TrafficPlan.model_validate(settings)
        return requests(loads(model, load_sample(model.sample, model.payload.model_dump())))

    whole = sent(1, 1)
    assert sorted(due for worker in range(1, 5) for due in sent(worker, 4)) == whole
    assert len({due.kind for due in whole}) == (3 if "faulty" in payload else 2 if payload else 1)
