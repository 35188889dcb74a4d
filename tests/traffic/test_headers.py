"""Headers and tokens from the environment: sent, and written down nowhere."""

import time

import pytest
from pydantic import ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import Payload, Shape
from tocsin.harness.traffic.load_processes import CanaryProcess, TrafficProcess
from tocsin.harness.traffic.payloads.request_protocol import filled, request_protocol

TOKEN = "s3cr3t-8f2a"
SHAPE = {"path": "/predict", "body": "$row", "features": ["f1", "f2", "f3"]}
HEADERS = {"Authorization": "Bearer ${env:DRILL_TOKEN}", "x-tenant": "a"}


def test_headers_are_filled_from_the_environment_and_never_shown(monkeypatch):
    monkeypatch.setenv("DRILL_TOKEN", TOKEN)
    shape = Shape.model_validate({**SHAPE, "headers": HEADERS})
    form = request_protocol(shape).form
    assert dict(form.headers) == {"authorization": f"Bearer {TOKEN}", "x-tenant": "a"}
    assert TOKEN not in repr(form) + repr(request_protocol(shape)) + shape.model_dump_json()


def test_a_variable_that_is_not_set_is_a_mistake_that_names_it(monkeypatch):
    monkeypatch.delenv("DRILL_TOKEN", raising=False)
    with pytest.raises(ValidationError, match="environment variable DRILL_TOKEN"):
        Payload.model_validate({**SHAPE, "role": "model", "sample": "a.npz", "headers": HEADERS})
    with pytest.raises(StackError, match="needs the environment variable DRILL_TOKEN, which is not set"):
        filled("Bearer ${env:DRILL_TOKEN}")


@pytest.mark.e2e
def test_a_token_reaches_the_service_and_no_file(monkeypatch, serve, plan, spawn, tmp_path):
    monkeypatch.setenv("DRILL_TOKEN", TOKEN)
    server = serve()
    whole = {**plan, "address": server.address, "payload": {**plan["payload"], "headers": HEADERS, "feedback": {}}}
    feedback = {"feedback": {"share": 1, "delay": "100ms"}}
    phase = {"name": "one", "start_s": 0, "end_s": 0.5, "rate_per_s": 40, "arrivals": "constant", "payload": feedback}
    with (tmp_path / "stack.log").open("wb") as log:

        def logged(argv, **popen):
            return spawn(argv, **popen, stderr=log)

        canary = CanaryProcess({**whole, "every_s": 0.1}, tmp_path / "work", logged)
        traffic = TrafficProcess({**whole, "phases": [phase]}, tmp_path / "work", logged)
        canary.ready()
        traffic.ready()
        traffic.start(time.time())
        said = [traffic.wait(20), canary.stop(), *traffic.events("ready"), *canary.events("ready")]
    assert {request.head["authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}
    assert {request.first_line.split()[1] for request in server.requests} == {"/predict", "/feedback"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.endswith(".plan.json") for path in files) and any(path.suffix == ".npy" for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == [] and TOKEN not in str(said)
