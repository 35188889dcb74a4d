"""Faults through the control port: exact shares, and what a raising model means for the caller and the counters."""

import asyncio
import json

import pytest

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]


@pytest.fixture
def control(service):
    from service.faults.switches import control_app

    app = control_app(service.parts.faults)

    def ask(method, path, body=b""):
        status, _, answer = service.call(method, path, body, app=app)
        return status, answer if status == 405 else json.loads(answer)

    return ask


@pytest.mark.parametrize(
    ("share", "calls", "hits"), [(0.3, 1000, 300), (0.1, 995, 99), (1, 7, 7), (1 / 3, 900, 300), (0.01, 99, 0)]
)
def test_the_share_is_exact(share, calls, hits):
    from service.faults.base import EveryNth

    strike = EveryNth(share)
    struck = [strike() for _ in range(calls)]
    assert sum(struck) == hits
    assert all(abs(sum(struck[:count]) - count * share) < 1.0001 for count in range(calls))


def test_a_raising_model_gives_500_counts_errors_and_keeps_the_inputs(service, control):
    assert control("PUT", "/faults/model_raises", b'{"share": 0.3}')[0] == 200
    statuses = [service.post("/predict", {"features": ROW})[0] for _ in range(10)]
    assert statuses.count(500) == 3 and statuses.count(200) == 7
    assert service.counts() == {("shuttle", "success"): 7, ("shuttle", "error"): 3}
    errors = [line for line in service.lines() if line["level"] == "ERROR"]
    assert len(errors) == 3 and "ModelRaised" in errors[0]["message"] and errors[0]["outcome"] == "error"
    assert service.metric("ml_prediction_latency_seconds_count", model_name="shuttle") == 10
    assert sum(part.valid for part in service.parts.drift.window._slices) == 10
    assert control("GET", "/faults") == (200, {"model_raises": {"share": 0.3, "calls": 10, "hits": 3}})
    assert control("DELETE", "/faults/model_raises") == (200, {})
    assert control("DELETE", "/faults/model_raises") == (200, {})
    assert service.post("/predict", {"features": ROW})[0] == 200


def test_a_slow_model_holds_up_its_share_and_nothing_else(service, control):
    assert control("PUT", "/faults/model_slow", b'{"share": 0.5, "delay_ms": 30}')[0] == 200
    assert [service.post("/predict", {"features": ROW})[0] for _ in range(4)] == [200] * 4
    buckets = {
        le: service.metric("ml_prediction_latency_seconds_bucket", model_name="shuttle", le=le)
        for le in ("0.02", "10.0")
    }
    assert buckets == {"0.02": 2, "10.0": 4}
    assert control("GET", "/faults")[1]["model_slow"] == {"share": 0.5, "delay_ms": 30, "calls": 4, "hits": 2}
    control("DELETE", "/faults/model_slow")
    assert service.parts.faults.delay_s() == 0


def test_wrong_answers_are_as_sure_as_right_ones(service, control):
    right = service.post("/predict", {"features": ROW})[2]
    assert control("PUT", "/faults/wrong_answers", b'{"share": 1}')[0] == 200
    wrong = service.post("/predict", {"features": ROW})[2]
    right, wrong = json.loads(right), json.loads(wrong)
    assert wrong["prediction"] == 1 - right["prediction"]
    assert wrong["score"] == pytest.approx(1 - right["score"])
    assert service.counts() == {("shuttle", "success"): 2}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"share": 0}', b'{"share": 1.1}', b'{"share": "x"}', b'{"share": true}',
     b'{"share": NaN}', b'{"share": 0.1, "more": 1}', b"[" * 5000],
)  # fmt: skip
def test_wrong_parameters_turn_nothing_on(control, body):
    assert control("PUT", "/faults/model_raises", body)[0] == 422
    assert control("GET", "/faults") == (200, {})


def test_unknown_faults_and_methods(control):
    assert control("PUT", "/faults/earthquake", b"{}")[0] == 404
    assert control("DELETE", "/faults/earthquake")[0] == 404
    assert control("POST", "/faults/model_raises")[0] == 405


def test_a_model_that_breaks_by_itself_is_an_error_too(service):
    class Broken:
        version = "0"

        def predict(self, rows):
            raise MemoryError("no room")

    service.parts.model = Broken()
    assert service.post("/predict", {"features": ROW})[0] == 500
    assert service.counts() == {("shuttle", "error"): 1}


def test_a_request_cancelled_while_its_body_is_awaited_is_counted(service):
    from service.inference import Inference
    from service.protocols import Predict

    async def cancelled():
        begun = asyncio.Event()

        async def receive():
            begun.set()
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        task = asyncio.create_task(Inference(service.parts, Predict())(scope, receive, None))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert service.counts() == {("shuttle", "rejected"): 1}
    assert (service.lines()[0]["status"], service.metric("ml_requests_in_flight")) == (499, 0)
