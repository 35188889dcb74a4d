import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from harness.errors import StackError
from harness.evidence.requests import KINDS
from harness.traffic.payloads import (
    ALL,
    DECLARATIONS,
    FaultyArgs,
    ShiftArgs,
    achieved_shift,
    load_sample,
    parse_payload,
)
from harness.traffic.payloads.base import Template
from harness.traffic.payloads.faulty import spread
from harness.traffic.payloads.shifted import shifted_rows

SHAPE = {"body": '{"features": $row}', "features": ["f1", "f2", "f3"], "integers": True}
SHUTTLE = Path(__file__).parents[2] / "stacks/reference/service/data/shuttle.npz"
TEMPLATE = Template(body='{"inputs": [{"data": $row}]}')
BY_NAME = {kind.name: kind for kind in ALL}


def make(name: str, row=(1, 2, 3)) -> bytes:
    return BY_NAME[name].make(row, TEMPLATE)


def test_the_order_of_kinds_is_that_of_the_records():
    assert tuple(kind.name for kind in ALL) == KINDS


@pytest.mark.parametrize(
    "name, status, counted",
    [
        ("normal", 200, "answered"),
        ("canary", 200, "answered"),
        ("shifted", 200, "answered"),
        ("broken_json", 400, "refused"),
        ("wrong_shape", 422, "refused"),
        ("nan", 422, "refused"),
        ("oversize", 413, "refused"),
    ],
)
def test_each_kind_declares_what_a_good_service_does(name, status, counted):
    assert DECLARATIONS[name] == {"status": [status], "counted": counted, "logged": "yes"}


@pytest.mark.parametrize(
    "name, body",
    [
        ("normal", b'{"inputs": [{"data": [1, 2, 3]}]}'),
        ("canary", b'{"inputs": [{"data": [1, 2, 3]}]}'),
        ("shifted", b'{"inputs": [{"data": [1, 2, 3]}]}'),
        ("wrong_shape", b'{"inputs": [{"data": [1, 2]}]}'),
        ("nan", b'{"inputs": [{"data": [NaN, 2, 3]}]}'),
    ],
)
def test_the_body_of_a_kind(name, body):
    assert make(name) == body


@pytest.mark.parametrize("body", ['{"features": $row}', "$row", '[{"a": $row, "b": "text"}]'])
@pytest.mark.parametrize("row", [(1,), (0.5, -1e300), tuple(range(100))])
def test_broken_json_is_json_for_no_template(body, row):
    with pytest.raises(ValueError):
        json.loads(BY_NAME["broken_json"].make(row, Template(body=body)))


def test_oversize_is_wrong_in_nothing_but_its_size():
    body = make("oversize")
    assert len(body) > 64 * 1024
    assert json.loads(body) == json.loads(make("normal"))


@pytest.mark.parametrize(
    "faulty, share, count, expected",
    [
        (["nan"], 0.2, 10, {"normal": 8, "nan": 2}),
        (["nan"], 1, 7, {"nan": 7}),
        (
            {"broken_json": 1, "wrong_shape": 1, "nan": 1, "oversize": 1},
            0.2,
            1000,
            {"normal": 800} | dict.fromkeys(("broken_json", "wrong_shape", "nan", "oversize"), 50),
        ),
        ({"nan": 3, "oversize": 1}, 0.1, 400, {"normal": 360, "nan": 30, "oversize": 10}),
        (["nan"], 0.001, 100, {"normal": 100}),
        (["nan"], 0.3, 0, {}),
    ],
)
def test_faulty_requests_take_their_exact_share(faulty, share, count, expected):
    assert Counter(spread(FaultyArgs(faulty=faulty, share=share), count)) == expected


@pytest.mark.parametrize("share", [0.03, 0.1, 1 / 3, 0.5, 0.97])
def test_the_share_holds_in_every_prefix(share):
    faulty = np.cumsum(spread(FaultyArgs(faulty=["nan", "oversize"], share=share), 5000) != "normal")
    assert np.abs(faulty - share * np.arange(1, 5001)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("by_sd", [0.5, -0.5])
def test_half_an_sd_of_the_reference_stack_stays_near_half_an_sd_when_rounded(by_sd):
    names = [f"f{number}" for number in range(1, 10)]
    sample = load_sample(SHUTTLE, {**SHAPE, "features": names})
    args = ShiftArgs(shift="mean", features=["f1", "f3", "f5", "f7", "f8"], by_sd=by_sd)
    achieved = achieved_shift(sample, args)
    assert tuple(achieved) == args.features
    assert all(0.45 <= value / by_sd * 0.5 <= 0.521 for value in achieved.values())


def test_the_achieved_shift_is_the_difference_of_the_means_in_reference_sd(sample_file):
    sample = load_sample(sample_file, SHAPE)
    args = ShiftArgs(shift="mean", features=["f3"], by_sd=0.5)
    moved = shifted_rows(sample, args)[:, 2].mean() - sample.live[:, 2].mean()
    assert moved == round(0.5 * sample.reference[:, 2].std())
    assert achieved_shift(sample, args) == {"f3": pytest.approx(moved / sample.reference[:, 2].std())}


def test_a_shift_of_real_numbers_is_exact_and_touches_nothing_else(sample_file):
    sample = load_sample(sample_file, {**SHAPE, "integers": False})
    args = ShiftArgs(shift="mean", features=["f2"], by_sd=0.25)
    rows = shifted_rows(sample, args)
    assert achieved_shift(sample, args) == {"f2": pytest.approx(0.25)}
    assert (rows[:, [0, 2]] == sample.live[:, [0, 2]]).all()


def test_shifted_integers_are_sent_as_integers(sample_file):
    rows = shifted_rows(load_sample(sample_file, SHAPE), ShiftArgs(shift="mean", features=["f1"], by_sd=0.5))
    assert b"." not in make("shifted", rows[0].tolist())


def test_a_shift_too_small_for_integers_is_declared_as_none(sample_file):
    sample = load_sample(sample_file, SHAPE)
    assert achieved_shift(sample, ShiftArgs(shift="mean", features=["f3"], by_sd=0.01)) == {"f3": 0.0}


@pytest.mark.parametrize(
    "model, args, says",
    [
        (ShiftArgs, {"shift": "median", "features": ["f1"], "by_sd": 1}, "mean"),
        (ShiftArgs, {"shift": "mean", "features": [], "by_sd": 1}, "at least 1"),
        (ShiftArgs, {"shift": "mean", "features": ["f1", "f1"], "by_sd": 1}, "named twice"),
        (ShiftArgs, {"shift": "mean", "features": ["f1"], "by_sd": float("nan")}, "finite"),
        (ShiftArgs, {"shift": "mean", "features": ["f1"], "by_sd": 1, "extra": 1}, "not permitted"),
        (FaultyArgs, {"faulty": ["teapot"], "share": 0.1}, "known are broken_json"),
        (FaultyArgs, {"faulty": [], "share": 0.1}, "at least 1"),
        (FaultyArgs, {"faulty": {"nan": 0}, "share": 0.1}, "greater than 0"),
        (FaultyArgs, {"faulty": ["nan"], "share": 0}, "greater than 0"),
        (FaultyArgs, {"faulty": ["nan"], "share": 1.1}, "less than or equal to 1"),
    ],
)
def test_wrong_arguments_are_refused(model, args, says):
    with pytest.raises(ValidationError, match=says):
        model.model_validate(args)


def test_an_empty_payload_is_normal():
    assert parse_payload({}) is None


@pytest.mark.parametrize(
    "payload, says",
    [
        ({"shif": "mean"}, "exactly one of shift, faulty"),
        ({"shift": "mean", "features": ["f1"], "by_sd": 1, "faulty": ["nan"], "share": 1}, "exactly one"),
        ({"shift": "mean"}, "by_sd"),
    ],
)
def test_a_payload_of_no_known_shape_is_refused(payload, says):
    with pytest.raises(StackError, match=says):
        parse_payload(payload)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"features": ["f1", "f2"]}, "expected rows x 2"),
        ({"body": "{}"}, r"no \$row"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(sample_file, change, says):
    with pytest.raises(StackError, match=says):
        load_sample(sample_file, {**SHAPE, **change})


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_a_file_that_is_no_sample_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StackError, match="arrays `reference` and `live`"):
        load_sample(path, SHAPE)
