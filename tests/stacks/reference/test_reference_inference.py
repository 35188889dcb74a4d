"""Requests, good and bad: what is answered, counted and logged."""

import asyncio
import json
import re

import pytest

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]
GOOD = json.dumps({"features": ROW}).encode()
INFER = "/v2/models/shuttle/infer"
JSON = {"content-type": "application/json"}


def tensor(**changes):
    return {"inputs": [{"name": "features", "datatype": "FP64", "shape": [1, 9], "data": ROW, **changes}]}


def features(value):
    return b'{"features": %s}' % value


BAD = {
    "empty": (b"", 400),
    "broken": (b'{"features": [1, 2', 400),
    "not utf-8": (b'{"features": "\xff"}', 400),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, 400),
    "deep": (b"[" * 30_000, 400),
    "deep in a field": (b'{"features": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400),
    "a list": (b"[1]", 422),
    "null": (b"null", 422),
    "no features": (b"{}", 422),
    "too few": (features(b"[1,2,3]"), 422),
    "too many": (features(b"[1,2,3,4,5,6,7,8,9,10]"), 422),
    "no list": (features(b'"123456789"'), 422),
    "a row of rows": (features(b"[[1,2,3,4,5,6,7,8,9]]"), 422),
    "a string": (features(b'[1,2,3,4,5,6,7,8,"9"]'), 422),
    "a boolean": (features(b"[1,2,3,4,5,6,7,8,true]"), 422),
    "a null": (features(b"[1,2,3,4,5,6,7,8,null]"), 422),
    "NaN": (features(b"[1,2,3,4,5,6,7,8,NaN]"), 422),
    "Infinity": (features(b"[1,2,3,4,5,6,7,8,-Infinity]"), 422),
    "overflow": (features(b"[1,2,3,4,5,6,7,8,1e999]"), 422),
    "a huge integer": (features(b"[1,2,3,4,5,6,7,8,1" + b"0" * 400 + b"]"), 422),
    "an unreadable integer": (features(b"[1,2,3,4,5,6,7,8,1" + b"0" * 5000 + b"]"), 422),
    "too large": (b" " * 65_537 + GOOD, 413),
}


@pytest.mark.parametrize(("body", "status"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("route", ["/predict", INFER])
def test_bad_bodies_are_refused_counted_and_logged_once(service, body, status, route):
    got, headers, answer = service.call("POST", route, body, {**JSON, "x-request-id": "bad-1"})
    assert got == status and json.loads(answer)["error"]
    assert headers["x-request-id"] == "bad-1"
    assert service.counts() == {("shuttle", "rejected"): 1}
    [line] = service.lines()
    assert (line["status"], line["outcome"], line["level"], line["request_id"]) == (status, "rejected", "WARN", "bad-1")
    assert service.parts.drift.window.sample(1e12).size == 0


def test_a_body_that_is_streamed_past_the_limit_is_refused_and_the_rest_dropped(service):
    assert service.call("POST", "/predict", [b"x" * 40_000] * 5, JSON)[0] == 413


def test_a_declared_length_past_the_limit_is_refused(service):
    status, headers, _ = service.call("POST", "/predict", GOOD, {**JSON, "content-length": "70000"})
    assert status == 413 and headers["connection"] == "close"


def test_an_endless_body_is_answered_without_reading_it_all(service):
    assert service.call("POST", "/predict", [b"x" * 60_000] * 1000, JSON)[0] == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/vnd.kserve+json"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ],
)
def test_content_types(service, headers, status):
    assert service.call("POST", "/predict", GOOD, headers)[0] == status


def test_another_method_is_refused_and_counted(service):
    status, headers, _ = service.call("GET", "/predict")
    assert (status, headers["allow"]) == (405, "POST")
    assert service.counts() == {("shuttle", "rejected"): 1}


def test_a_model_nobody_serves_is_counted_under_one_name(service):
    for name in ("iris", "x" * 200):
        assert service.post(f"/v2/models/{name}/infer", tensor())[0] == 404
    assert service.counts() == {("unknown", "rejected"): 2}
    assert {line["model"] for line in service.lines()} == {"unknown"}


@pytest.mark.parametrize("path", ["/predict", "/feedback"])
def test_a_huge_body_is_refused_when_it_is_announced(service, path):
    announced = {**JSON, "content-length": "9999999999"}
    status, headers, _ = service.call("POST", path, [None], announced)  # None: the client says nothing more
    assert (status, headers["connection"]) == (413, "close")


@pytest.mark.parametrize(("length", "status"), [("50", 408), ("70000", 413)])
def test_a_body_that_never_comes_holds_no_place_for_ever(monkeypatch, length, status):
    from service import bodies

    monkeypatch.setattr(bodies, "READ_WITHIN_S", 0.02)

    async def never():
        await asyncio.Event().wait()

    with pytest.raises(bodies.Refused) as refused:
        asyncio.run(bodies.read_body({b"content-length": length.encode()}, never))
    assert refused.value.status == status


def test_a_version_nobody_serves_is_counted_as_the_models(service):
    document = tensor()
    version = service.parts.model.version
    assert service.post(f"/v2/models/shuttle/versions/{version}/infer", document)[0] == 200
    assert service.post("/v2/models/shuttle/versions/0/infer", document)[0] == 404
    assert service.counts() == {("shuttle", "success"): 1, ("shuttle", "rejected"): 1}
    assert {line["route"] for line in service.lines()} == {"/v2/models/{name}/infer"}


def test_a_client_that_goes_away_is_counted_once(service):
    service.call("POST", "/predict", [b'{"features": [1', None], JSON)
    assert [line["status"] for line in service.lines()] == [499]
    assert service.counts() == {("shuttle", "rejected"): 1}


def test_a_prediction(service):
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    status, headers, body = service.post("/predict", {"features": ROW}, x_request_id="run-1.a_B", traceparent=trace)
    answer = json.loads(body)
    assert status == 200 and headers["content-type"] == "application/json"
    assert answer["prediction"] == 1 and 0.5 < answer["score"] <= 1
    assert answer["model_version"] == service.parts.model.version and answer["request_id"] == "run-1.a_B"
    [line] = service.lines()
    assert line == {
        "@timestamp": line["@timestamp"], "level": "INFO", "message": "answered", "request_id": "run-1.a_B",
        "traceparent": trace, "model": "shuttle", "model_version": service.parts.model.version, "route": "/predict",
        "status": 200, "outcome": "success", "latency_ms": line["latency_ms"],
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["@timestamp"])
    assert 0 <= line["latency_ms"] < 1000
    assert service.metric("ml_prediction_latency_seconds_count", model_name="shuttle") == 1
    assert service.metric("ml_requests_in_flight") == 0


@pytest.mark.parametrize("given", ["", "a b", "ä", "x" * 101, 'quo"te', "new\nline"])
def test_an_unfit_request_id_is_replaced(service, given):
    _, headers, body = service.post("/predict", {"features": ROW}, x_request_id=given, traceparent="nonsense")
    made = headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made) and json.loads(body)["request_id"] == made
    assert (service.lines()[0]["request_id"], service.lines()[0]["traceparent"]) == (made, None)


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        (tensor(), 1),
        (tensor(data=[ROW]), 1),
        (tensor(shape=[3, 9], data=ROW * 3), 3),
        (tensor(shape=[2, 9], data=[ROW, ROW], datatype="INT32"), 2),
    ],
)
def test_the_open_inference_protocol(service, document, rows):
    status, _, body = service.post(INFER, {"id": "mine", **document})
    answer = json.loads(body)
    assert (status, answer["model_name"], answer["id"]) == (200, "shuttle", "mine")
    assert [(output["name"], output["shape"]) for output in answer["outputs"]] == [
        ("prediction", [rows]), ("score", [rows]),
    ]  # fmt: skip
    assert answer["outputs"][0]["data"] == [1] * rows
    assert service.counts() == {("shuttle", "success"): 1}


@pytest.mark.parametrize(
    "document",
    [
        {}, {"inputs": []}, {"inputs": [1]}, {"inputs": [{}, {}]}, {"inputs": {}}, {"id": 7, **tensor()},
        tensor(datatype="BYTES"), tensor(shape=[9]), tensor(shape=[1, 8]), tensor(shape=[2, 9]), tensor(shape="1x9"),
        tensor(shape=[0, 9], data=[]), tensor(shape=[2000, 9]), tensor(shape=[True, 9]), tensor(data="x"),
        tensor(data=[]), tensor(data=[ROW, ROW]), tensor(data=[ROW[:8]]), tensor(shape=[2, 9], data=[ROW, 7]),
    ],
)  # fmt: skip
def test_malformed_tensors_are_refused(service, document):
    assert service.post(INFER, document)[0] == 422
    assert service.counts() == {("shuttle", "rejected"): 1}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200), ("/v2/health/live", 200), ("/readyz", 503), ("/v2/health/ready", 503), ("/metrics", 200),
        ("/v2/models/shuttle", 200), ("/v2/models/iris", 404), ("/v2/models/shuttle/ready", 503), ("/nowhere", 404),
    ],
)  # fmt: skip
def test_what_is_no_inference_is_neither_counted_nor_logged(service, path, status):
    assert service.call("GET", path)[0] == status
    assert service.counts() == {} and service.lines() == []


def test_every_child_of_the_counter_is_there_before_the_first_request(service):
    text = service.call("GET", "/metrics")[2].decode()
    for status in ("success", "error", "rejected"):
        assert f'ml_predictions_total{{model_name="shuttle",status="{status}"}} 0.0' in text
    assert text.count("ml_prediction_latency_seconds_bucket{") >= 2 * 20
    assert 'le="0.1",model_name="shuttle"' in text and "ml_build_info{" in text and "process_cpu_seconds_total" in text
    assert text.count("drift_detected{") == 9 and "_created" not in text
