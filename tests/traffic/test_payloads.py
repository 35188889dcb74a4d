"""The kinds: what each sends and what a good service does with it."""

import json
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Otherwise, Shape
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads import ALL, DECLARATIONS, declarations, parse_payload
from tocsin.harness.traffic.payloads.faulty_kinds import FAULTY
from tocsin.harness.traffic.payloads.mix import FaultyArgs, spread
from tocsin.harness.traffic.payloads.payload_kind import NormalArgs
from tocsin.harness.traffic.payloads.request_protocol import request_protocol

ROW = [1, 2, 3]
V2 = {"model": "m", "input": "x", "datatype": "FP32"}
PLAIN = request_protocol(Shape(path="/predict", body='{"inputs": [{"data": $row}]}', features=("a", "b", "c"), v2=V2))
NAMED = request_protocol(Shape(path="/score", body='{"a": "$a", "b": {"c": $b}, "c": [$c]}', features=("a", "b", "c")))
TENSOR = request_protocol(Shape(path="/predict", body="$row", features=("a", "b", "c"), v2=V2), "v2")
BY_NAME = {kind.name: kind for kind in ALL}


def make(name, how=PLAIN, row=ROW):
    return BY_NAME[name].make(row, how)


def test_the_order_of_kinds_is_that_of_the_records():
    assert tuple(kind.name for kind in ALL) == KINDS[: len(ALL)]
    assert tuple(DECLARATIONS) == KINDS


@pytest.mark.parametrize(
    ("name", "status", "counted", "logged"),
    [
        ("normal", [200], "answered", "yes"),
        ("canary", [200], "answered", "yes"),
        ("shifted", [200], "answered", "yes"),
        ("broken_json", [400], "refused", "yes"),
        ("nan", [422], "refused", "yes"),
        ("extra_field", [200, 422], "by_status", "yes"),
        ("abort", [0], "refused", "maybe"),
        ("wrong_path", [404], "no", "no"),
        ("missing", [200, 422], "by_status", "yes"),
        ("feedback", [200, 202, 204, 404], "no", "no"),
    ],
)
def test_each_kind_declares_what_a_good_service_does(name, status, counted, logged):
    assert DECLARATIONS[name] == {"status": status, "counted": counted, "logged": logged}


def test_a_stack_may_declare_otherwise():
    kinds = declarations({"broken_json": Otherwise(status=(422,))})
    assert kinds["broken_json"] == {"status": [422], "counted": "refused", "logged": "yes"}
    assert kinds["nan"] == DECLARATIONS["nan"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("normal", b'{"inputs": [{"data": [1, 2, 3]}]}'),
        ("shifted", b'{"inputs": [{"data": [1, 2, 3]}]}'),
        ("wrong_shape", b'{"inputs": [{"data": [1, 2]}]}'),
        ("nan", b'{"inputs": [{"data": [NaN, 2, 3]}]}'),
        ("infinity", b'{"inputs": [{"data": [Infinity, 2, 3]}]}'),
        ("wrong_type", b'{"inputs": [{"data": [{"value": "text"}, 2, 3]}]}'),
        ("wrong_dtype", b'{"inputs": [{"data": ["1", "2", "3"]}]}'),
        ("missing_field", b"{}"),
        ("extra_field", b'{"inputs": [{"data": [1, 2, 3]}], "tocsin_extra": "nobody asked for this"}'),
        ("empty_body", b""),
        ("abort", b'{"inputs": [{"data": [1, 2, 3]}]}'),
    ],
)
def test_the_body_of_a_kind(name, body):
    assert make(name) == body


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("normal", {"a": 1, "b": {"c": 2}, "c": [3]}),
        ("wrong_shape", {"a": [1, 2, 3], "b": {"c": 2}, "c": [3]}),
        ("wrong_dtype", {"a": "1", "b": {"c": "2"}, "c": ["3"]}),
        ("missing_field", {"b": {"c": 2}, "c": [3]}),
    ],
)
def test_the_body_of_a_kind_when_fields_are_named(name, body):
    assert json.loads(make(name, NAMED)) == body


@pytest.mark.parametrize("kind", [kind for kind in FAULTY if not kind.needs_v2], ids=lambda kind: kind.name)
@pytest.mark.parametrize("how", [PLAIN, NAMED, TENSOR])
def test_each_faulty_kind_differs_from_a_good_request_in_body_or_form(kind, how):
    assert (kind.make(ROW, how), kind.form(how)) != (make("normal", how), how.form)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("truncated", {"manner": "truncated"}),
        ("abort", {"manner": "abort"}),
        ("slow_body", {"manner": "slow_body"}),
        ("wrong_content_type", {"content_type": "text/plain"}),
        ("wrong_method", {"method": "PUT"}),
        ("wrong_path", {"path": "/predict/tocsin-unknown"}),
        ("unknown_model", {"path": "/v2/models/tocsin-unknown/infer"}),
        ("unknown_version", {"path": "/v2/models/m/versions/tocsin-unknown/infer"}),
        ("nan", {}),
    ],
)
def test_the_form_of_a_kind(name, change):
    form = BY_NAME[name].form(PLAIN)
    good = {"path": "/predict", "method": "POST", "content_type": "application/json", "manner": "plain"}
    assert {key: getattr(form, key) for key in good} == good | change


@pytest.mark.parametrize("body", ['{"features": $row}', "$row", '[{"a": $row, "b": "text"}]'])
@pytest.mark.parametrize("row", [(1,), (0.5, -1e300), tuple(range(100))])
def test_broken_json_is_json_for_no_template(body, row):
    how = request_protocol(Shape(path="/", body=body, features=("a",)))
    with pytest.raises(ValueError):
        json.loads(make("broken_json", how, row))


def test_oversize_is_wrong_in_nothing_but_its_size():
    assert len(make("oversize")) > 64 * 1024
    assert json.loads(make("oversize")) == json.loads(make("normal"))


def test_bad_encoding_is_wrong_in_nothing_but_its_encoding():
    with pytest.raises(UnicodeDecodeError):
        make("bad_encoding").decode()
    assert json.loads(make("bad_encoding").decode("latin-1"))["inputs"] == [{"data": ROW}]


def test_deep_nesting_is_json():
    body = make("deep_nesting")
    assert body.count(b"[") == body.count(b"]") > 20_000 and len(body) < 64 * 1024
    with pytest.raises(RecursionError):
        json.loads(body)


def test_the_open_inference_protocol_asks_with_one_tensor():
    assert TENSOR.form.path == "/v2/models/m/infer"
    assert json.loads(make("normal", TENSOR)) == {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]
    }
    with pytest.raises(StackError, match=r"declares no `payload.v2`"):
        request_protocol(Shape(path="/", body="$row", features=("a",)), "v2")


FOUR = ("broken_json", "wrong_shape", "nan", "oversize")


@pytest.mark.parametrize(
    ("faulty", "share", "count", "expected"),
    [
        (["nan"], 0.2, 10, {"normal": 8, "nan": 2}),
        (["nan"], 1, 7, {"nan": 7}),
        (dict.fromkeys(FOUR, 1), 0.2, 1000, {"normal": 800} | dict.fromkeys(FOUR, 50)),
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


@pytest.mark.parametrize(
    "faulty", [["nan"], {"nan": 3, "oversize": 1, "broken_json": 0.7}, {kind.name: 1 for kind in FAULTY}]
)
def test_block_by_block_is_the_same_as_all_at_once(faulty):
    args = FaultyArgs(faulty=faulty, share=0.37)
    parts = [spread(args, 512, first) for first in range(0, 4096, 512)]
    assert (np.concatenate(parts) == spread(args, 4096)).all()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"faulty": ["teapot"], "share": 0.1}, "known are broken_json"),
        ({"faulty": [], "share": 0.1}, "at least 1"),
        ({"faulty": {"nan": 0}, "share": 0.1}, "greater than 0"),
        ({"faulty": ["nan"], "share": 0}, "greater than 0"),
        ({"faulty": ["nan"], "share": 1.1}, "less than or equal to 1"),
        ({"faulty": ["nan"], "share": 1, "feedback": {"share": 0, "delay": "1m"}}, "greater than 0"),
        ({"faulty": ["nan"], "share": 1, "protocol": "v3"}, "'plain' or 'v2'"),
    ],
)
def test_wrong_arguments_are_refused(args, says):
    with pytest.raises(ValidationError, match=says):
        FaultyArgs.model_validate(args)


@pytest.mark.parametrize(
    ("payload", "args"),
    [
        ({}, NormalArgs()),
        ({"protocol": "v2"}, NormalArgs(protocol="v2")),
        ({"faulty": ["nan"], "share": 1, "protocol": "v2"}, FaultyArgs(faulty=["nan"], share=1, protocol="v2")),
    ],
)
def test_a_payload_is_told_by_its_keys(payload, args):
    assert parse_payload(payload) == args


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"shif": "mean"}, "shif: Extra inputs"),
        ({"shift": "mean", "features": ["f1"], "by_sd": 1, "faulty": ["nan"], "share": 1}, "both shift and faulty"),
        ({"shift": "mean", "features": ["f1"]}, "by_sd"),
    ],
)
def test_a_payload_of_no_known_shape_is_refused(payload, says):
    with pytest.raises(StackError, match=says):
        parse_payload(payload)


BARE = Shape(path="/", body="$row", features=("a",))
FEEDBACK = {"share": 1, "delay": "1m"}


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({}, []),
        ({"protocol": "v2"}, ["protocol"]),
        ({"feedback": FEEDBACK}, ["feedback"]),
        ({"faulty": ["nan"], "share": 1}, []),
        ({"faulty": ["unknown_model"], "share": 1, "protocol": "v2"}, ["protocol", "faulty"]),
        ({"shift": "mean", "features": {"a": 1, "z": 2}}, ["features"]),
        ({"shift": "missing", "features": ["a"], "share": 1, "sent_as": "absent"}, ["sent_as"]),
        ({"shift": "missing", "features": ["a"], "share": 1, "sent_as": "null"}, []),
        ({"shift": "concept", "share": 1}, ["feedback"]),
    ],
)
def test_what_a_stack_cannot_be_sent_is_known_before_anything_starts(payload, names):
    assert [name for name, _ in parse_payload(payload).unfit(BARE)] == names
