"""Rows of the user's own: CSV, JSONL and Parquet, with a template, without code."""

import json
import sys
import time

import numpy as np
import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.traffic.load_processes import TrafficProcess
from tocsin.harness.traffic.payloads import load_sample
from tocsin.harness.traffic.payloads.phase_content import content

BODY = '{"age": "$age", "where": {"region": "$region"}, "member": $member}'
SHAPE = {"path": "/score", "body": BODY, "features": ["age", "region", "member"], "label": "bought"}
CSV = "id,age,region,member,bought\n1,34,north,0.5,1\n2,,south,1.5,0\n3,51,north,2,1\n"
JSONL = (
    '{"age": 34, "region": "north", "member": 0.5, "bought": 1}\n\n'
    '{"region": "south", "member": 1.5, "bought": 0}\n'
    '{"age": 51, "region": "north", "member": 2, "bought": true}\n'
)
SENT = [
    {"age": 34, "where": {"region": "north"}, "member": 0.5},
    {"age": None, "where": {"region": "south"}, "member": 1.5},
    {"age": 51, "where": {"region": "north"}, "member": 2.0},
]


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bodies(sample):
    return [json.loads(sample.protocol.template.fill(sample.row(place))) for place in range(len(sample.live))]


@pytest.mark.parametrize(("name", "text"), [("rows.csv", CSV), ("rows.jsonl", JSONL), ("rows.NDJSON", JSONL)])
def test_rows_are_sent_in_the_shape_of_the_template(tmp_path, name, text):
    sample = load_sample(write(tmp_path, name, text), SHAPE)
    assert bodies(sample) == SENT
    assert sample.labels.tolist() == [1, 0, 1]


def test_whole_numbers_stay_whole(tmp_path):
    path = write(tmp_path, "rows.csv", "a,b\n1,0.5\n20,2\n")
    sample = load_sample(path, {"path": "/", "body": '{"x": $row}', "features": ["b", "a"]})
    assert [sample.protocol.template.fill(sample.row(place)) for place in (0, 1)] == [
        b'{"x": [0.5, 1]}',
        b'{"x": [2.0, 20]}',
    ]


def test_whole_numbers_stay_whole_beside_missing_ones_and_however_large_they_are(tmp_path):
    path = write(tmp_path, "rows.csv", "a,b\n1,9007199254740993\n,2\n")
    sample = load_sample(path, {"path": "/", "body": '{"x": $row}', "features": ["a", "b"]})
    sent = [sample.protocol.template.fill(sample.row(place)) for place in (0, 1)]
    assert sent == [b'{"x": [1, 9007199254740993]}', b'{"x": [null, 2]}']


def test_true_and_false_are_sent_as_such(tmp_path):
    path = write(tmp_path, "rows.jsonl", '{"a": true}\n{"a": false}\n{"a": null}\n')
    sample = load_sample(path, {"path": "/", "body": '{"x": $row}', "features": ["a"]})
    assert [body["x"][0] for body in bodies(sample)] == [True, False, None]


def test_a_reference_of_its_own_is_the_yardstick(tmp_path):
    rows, reference = write(tmp_path, "rows.csv", "a\n1\n2\n"), write(tmp_path, "reference.csv", "a\n0\n20\n")
    shape = {"path": "/", "body": '{"x": $row}', "features": ["a"]}
    made = content({"shift": "mean", "features": ["a"], "by_sd": 1}, load_sample(rows, shape, reference), seed=(1, 0))
    assert {json.loads(made.batch(0, np.zeros(1)).body(0))["x"][0] for _ in range(3)} <= {11, 12}


def test_text_can_be_swapped_and_left_out(tmp_path):
    sample = load_sample(write(tmp_path, "rows.csv", CSV), SHAPE)
    swapped = content({"shift": "swap", "features": ["region"], "share": 1}, sample, seed=(1, 0)).batch(0, np.zeros(50))
    absent = {"shift": "missing", "features": ["region"], "share": 1, "sent_as": "absent"}
    without = content(absent, sample, seed=(1, 0)).batch(0, np.zeros(50))
    normal = content({}, sample, seed=(1, 0)).batch(0, np.zeros(50))
    other = {"north": "south", "south": "north"}
    for i in range(50):
        was = json.loads(normal.body(i))
        assert json.loads(swapped.body(i)) == {**was, "where": {"region": other[was["where"]["region"]]}}
        assert json.loads(without.body(i)) == {**was, "where": {}}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rows.csv", "age,region\n1,north\n", "no column member, bought; it has age, region"),
        ("rows.csv", "age,region,member,bought\n", "has no row"),
        ("rows.csv", "", "no column age"),
        ("rows.csv", "age,region,member,bought\n1,2\n", "line 2 has 2 fields, the header 4"),
        ("rows.csv", CSV.replace("0.5,1", "0.5,yes"), "`payload.label` holds no whole numbers"),
        ("rows.jsonl", "{", "cannot be read as jsonl"),
        ("rows.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("rows.jsonl", '{"age": [1]}\n', "line 1 holds more than single values"),
        ("rows.parquet", "no parquet", "cannot be read as parquet|needs pyarrow"),
    ],
)
def test_a_table_that_does_not_fit_is_told(tmp_path, name, text, says):
    with pytest.raises(StackError, match=says):
        load_sample(write(tmp_path, name, text), SHAPE)


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(StackError, match="nowhere.csv cannot be read"):
        load_sample(tmp_path / "nowhere.csv", SHAPE)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{}", r'no \$row and no "\$name"'),
        ('{"x": $row, "y": "$z"}', r"has \$z, which is no feature"),
        ('{"x": $row', "is no JSON with values filled in"),
        ("x=$age", "is no JSON with values filled in"),
    ],
)
def test_a_template_that_does_not_fit_is_told(tmp_path, body, says):
    with pytest.raises(StackError, match=says):
        load_sample(write(tmp_path, "rows.csv", CSV), {**SHAPE, "body": body})


def test_without_pyarrow_parquet_is_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StackError, match=r"needs pyarrow, which is not installed") as refused:
        load_sample(write(tmp_path, "rows.parquet", ""), SHAPE)
    assert "tocsin[parquet]" in str(refused.value.hint)


def test_parquet_is_read_like_the_others(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    columns = {
        "age": [34, None, 51],
        "region": ["north", "south", "north"],
        "member": [0.5, 1.5, 2.0],
        "bought": [1, 0, 1],
    }
    parquet.write_table(pyarrow.table({**columns, "more": [0, 0, 0]}), tmp_path / "rows.parquet")
    sample = load_sample(tmp_path / "rows.parquet", SHAPE)
    assert bodies(sample) == SENT and sample.labels.tolist() == [1, 0, 1]


@pytest.mark.e2e
def test_a_table_is_played_by_the_traffic_process(serve, plan, spawn, tmp_path):
    server = serve()
    rows = write(tmp_path, "rows.csv", CSV)
    whole = {**plan, "address": server.address, "sample": str(rows), "payload": SHAPE, "speed": 60}
    absent = {"shift": "missing", "features": ["region"], "share": 1, "sent_as": "absent"}
    phases = [
        {
            "name": name,
            "start_s": start,
            "end_s": start + 0.5,
            "rate_per_s": 40,
            "arrivals": "constant",
            "payload": payload,
        }
        for name, start, payload in (("rows", 0, {}), ("without", 0.5, absent))
    ]
    traffic = TrafficProcess({**whole, "phases": phases}, tmp_path / "work", spawn)
    traffic.ready()
    traffic.start(time.time())
    done = traffic.wait(20)
    sent = [json.loads(request.body) for request in server.requests]
    assert {request.first_line for request in server.requests} == {"POST /score HTTP/1.1"}
    assert len(sent) == done["answered"] == 40
    assert all(body in SENT for body in sent if body["where"]) and sum(body["where"] == {} for body in sent) == 20
    (shift,) = done["delivered"]["without"]
    assert (shift["feature"], shift["declared"], shift["achieved"]) == ("region", 1, 1)


NPZ = {"path": "/predict", "body": '{"features": $row}', "features": ["f1", "f2", "f3"], "integers": True}


@pytest.mark.parametrize(
    ("change", "says"),
    [({"features": ["f1", "f2"]}, "expected rows x 2"), ({"body": "{}"}, r"no \$row"), ({"boddy": 1}, "boddy: Extra")],
)
def test_a_sample_that_does_not_fit_is_refused(sample_file, change, says):
    with pytest.raises(StackError, match=says):
        load_sample(sample_file, {**NPZ, **change})


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_a_file_that_is_no_sample_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StackError, match="arrays `reference` and `live`"):
        load_sample(path, NPZ)
