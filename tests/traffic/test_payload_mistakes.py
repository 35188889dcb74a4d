"""Mistakes in a scenario's `payload`: told before anything starts, with their line, by the real argument models."""

import json
from dataclasses import replace

import pytest

from tests.small_stack import CATALOGUE as SMALL
from tests.small_stack import STACK, write_scenario, write_stack
from tocsin.harness.core.errors import UsageError
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.planning.loader import load, load_stack
from tocsin.harness.traffic.payloads import CATALOGUE

REAL = replace(SMALL, payloads=CATALOGUE, kinds=KINDS)
WAS = "{shift: mean, features: [f1], by_sd: 0.5}"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"shift": "zeros", "features": {"f1": 0.1, "f2": 0.2}, "every": "6m", "duty": 0.5},
        {"share": 0.2, "faulty": ["nan", "abort"]},
        {"faulty": {"nan": 2, "slow_body": 1}, "share": 1},
        {"shift": "label", "label": 1, "share": 0.5, "over": "5m"},
    ],
)
def test_a_good_payload_is_kept_as_written(tmp_path, payload):
    scenario, _ = load(write_scenario(tmp_path, (WAS, json.dumps(payload))), REAL)
    assert scenario.timeline[1].payload == payload


@pytest.mark.parametrize(
    ("payload", "where", "expected"),
    [
        ("{shift: mena, features: [f1], by_sd: 0.5}", "payload.shift", "'mean', 'scale'"),
        ("{shift: mean, features: [f9], by_sd: 0.5}", "features", "known here: f1, f2, f3"),
        ("{shift: mean, features: {f9: 1}}", "features", "features of the stack: f1, f2, f3"),
        ("{shift: mean, features: [f1], by_sdd: 0.5}", "by_sdd", "by_sd"),
        ("{shift: mean, features: [f1], by_sd: 0.5, share: 1}", "payload", "mean takes no share"),
        ("{shift: mean, features: [f1], by_sd: 0.5, over: soon}", "payload.over", "a duration such as"),
        ("{faulty: [teapot], share: 0.1}", "payload.faulty", "no faulty kind is called teapot"),
        ("{share: 0.1, faulty: [unknown_model]}", "faulty", "no unknown_model, as the stack declares no"),
        ("{protocol: v2}", "protocol", "plain, as the stack declares no"),
        ("{feedback: {share: 0.5, delay: 1m}}", "feedback", "nothing, as the stack declares no"),
        ("{shift: concept, share: 0.5}", "feedback", "nothing else shows a concept shift"),
        ("{faulti: [nan]}", "payload", "did you mean `faulty`? `tocsin ls payloads` lists all"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_is_expected(tmp_path, payload, where, expected):
    with pytest.raises(UsageError) as refused:
        load(write_scenario(tmp_path, (WAS, payload)), REAL)
    (mistake,) = refused.value.mistakes
    assert mistake.line == 9 and where in mistake.where and expected in f"{mistake.expected} {mistake.hint}"


@pytest.mark.parametrize("arrivals", ['{"closed": {"users": 2}}', "poisson"])
def test_closed_users_send_no_truth(tmp_path, arrivals):
    stack = STACK.replace("path: /predict", "path: /predict, feedback: {}")
    payload = "{feedback: {share: 0.5, delay: 1m}}, traffic: {arrivals: ARRIVALS}".replace("ARRIVALS", arrivals)
    path = write_scenario(
        tmp_path, (f"payload: {WAS}", f"payload: {payload}".replace(", traffic", "\n    traffic")), stack=stack
    )
    if arrivals == "poisson":
        assert load(path, REAL)[0].timeline[1].payload
        return
    with pytest.raises(UsageError) as refused:
        load(path, REAL)
    assert [(one.where, one.line) for one in refused.value.mistakes] == [("feedback", 9)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("sample: sample.npz", "sample: a.npz, source: b.csv"), "either `sample`"),
        (("sample: sample.npz, ", ""), "either `sample`"),
        (("path: /predict", "path: /predict, headers: {authorization: '${env:TOCSIN_NO_SUCH}'}"), "TOCSIN_NO_SUCH"),
        (("path: /predict", "path: /predict, response: {prediction: prediction}"), "begins with a slash"),
        (("path: /predict", "path: /predict, answers: {nan: {status: no}}"), "answers"),
        (("path: /predict", "path: /predict, fetures: [a]"), "fetures"),
    ],
)
def test_a_mistake_in_the_stacks_payload_is_told(tmp_path, change, says):
    folder = write_stack(tmp_path / "small", stack=STACK.replace(*change))
    with pytest.raises(UsageError) as refused:
        load_stack(str(folder))
    assert any(says in f"{one.where} {one.expected}" for one in refused.value.mistakes)


def test_an_answer_for_a_kind_that_nobody_knows_is_a_mistake(tmp_path):
    stack = STACK.replace("path: /predict", "path: /predict, answers: {teapot: {status: [418]}}")
    with pytest.raises(UsageError) as refused:
        load(write_scenario(tmp_path, stack=stack), REAL)
    assert [(one.where, one.value) for one in refused.value.mistakes] == [("payload.answers", "teapot")]
