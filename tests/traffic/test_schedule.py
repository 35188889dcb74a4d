import json
from collections import Counter

import numpy as np
import pytest

from harness.errors import StackError
from harness.evidence.requests import KINDS
from harness.traffic.payloads import load_sample
from harness.traffic.plan import CanaryPlan, TrafficPlan, read_plan
from harness.traffic.schedule import loads

PHASES = [
    {"name": "calm", "start_s": 0, "end_s": 2, "rate_per_s": 100, "arrivals": "poisson"},
    {
        "name": "shifted",
        "start_s": 2,
        "end_s": 3,
        "rate_per_s": 50,
        "arrivals": "constant",
        "payload": {"shift": "mean", "features": ["f1"], "by_sd": 0.5},
    },
    {
        "name": "faulty",
        "start_s": 3,
        "end_s": 4,
        "rate_per_s": 50,
        "arrivals": "constant",
        "payload": {"faulty": ["nan", "broken_json"], "share": 0.2},
    },
]


@pytest.fixture
def make(plan):
    def build(**more):
        model = TrafficPlan.model_validate({**plan, "address": "127.0.0.1:1", "seed": 7, "phases": PHASES, **more})
        return loads(model, load_sample(model.sample, model.payload.model_dump()))

    return build


def requests(phases):
    return [due for phase in phases for due in phase.requests()]


def test_the_same_seed_gives_the_same_requests(make):
    assert requests(make()) == requests(make())


@pytest.mark.parametrize("more", [{"seed": 8}, {"worker": 2}])
def test_another_seed_or_worker_gives_other_times_and_rows(make, more):
    ours, theirs = make()[0], make(**more)[0]
    assert ours.at_s[0] != theirs.at_s[0]
    assert (ours.places[:20] != theirs.places[:20]).any()


def test_another_rate_does_not_change_which_rows_are_drawn(make):
    faster = make(phases=[{**PHASES[0], "rate_per_s": 200}])
    assert (faster[0].places[:100] == make()[0].places[:100]).all()


def test_phases_meet_exactly_and_keep_to_their_kinds(make):
    calm, shifted, faulty = make()
    assert calm.at_s.max() < 2.0 == shifted.at_s[0] and shifted.at_s.max() < 3.0 == faulty.at_s[0]
    kinds = [Counter(KINDS[kind] for kind in phase.kinds) for phase in (calm, shifted, faulty)]
    assert kinds[0].keys() == {"normal"} and kinds[1] == {"shifted": 50}
    assert kinds[2] == {"normal": 40, "nan": 5, "broken_json": 5}


def test_a_time_that_rounds_up_to_the_end_of_its_phase_is_left_out(make, monkeypatch):
    late = {"poisson": lambda rate_per_s, length_s, rng: np.array([0.0, np.nextafter(length_s, 0)])}
    monkeypatch.setattr("harness.traffic.schedule.PACERS", late)
    assert make(phases=[{**PHASES[0], "start_s": 1000, "end_s": 1001}])[0].at_s.tolist() == [1000.0]


def test_no_request_crosses_a_phase_edge_by_rounding(make):
    third = 1 / 3
    phases = [{**PHASES[0], "arrivals": "constant", "start_s": third, "end_s": 2 * third, "rate_per_s": 3000}]
    at_s = make(phases=phases)[0].at_s
    assert at_s[0] == third and at_s[-1] < 2 * third and len(at_s) == 1000


def test_rows_come_from_the_whole_live_sample(make):
    phases = [{**PHASES[0], "rate_per_s": 10_000, "end_s": 3}]
    load = make(phases=phases)[0]
    assert len(np.unique(load.places)) > 0.99 * len(load.rows)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"users": "mine.py:Buyer"}, "cannot be played yet"),
        ({"run_id": "Not_one"}, "run_id"),
        ({"phases": []}, "at least 1"),
        ({"phases": [{**PHASES[0], "arrivals": "bursts"}]}, "not one of constant, poisson"),
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
