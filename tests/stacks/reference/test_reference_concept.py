"""A concept shift: the service's accuracy falls, its inputs do not drift. A shift of inputs does the reverse."""

import asyncio
import json

import numpy as np
import pytest

from tests.stacks.reference.conftest import exchange
from tocsin.harness.planning.loader import load_stack
from tocsin.harness.traffic.payloads import load_sample
from tocsin.harness.traffic.payloads.phase_content import content

STACK = load_stack("reference")
SAMPLE = load_sample(STACK.folder / STACK.payload.rows, STACK.payload.shape)
FEEDBACK = {"share": 0.5, "delay": "1m"}
COUNT = 400


def play(service, payload):
    """Send COUNT predictions, then the truths; return the service's accuracy, its labels and the drifting features."""
    from service.app import check_drift

    asyncio.run(send(service.app, content({"feedback": FEEDBACK, **payload}, SAMPLE, seed=(3, 0))))
    check_drift(service.parts)
    features = [f"f{number}" for number in range(1, 10)]
    drifting = [name for name in features if service.metric("drift_detected", feature=name)]
    labels = service.metric("ml_model_accuracy_labels", model_name="shuttle")
    return service.metric("ml_model_accuracy", model_name="shuttle"), labels, drifting


async def send(app, made):
    batch, json_headers = made.batch(0, np.arange(COUNT) / 100), {"content-type": "application/json"}
    for i in range(COUNT):
        path, headers = made.forms[batch.forms[i]].path, {**json_headers, "x-request-id": f"run-1-{i}"}
        assert (await exchange(app, "POST", path, [batch.body(i)], headers))[0] == 200
    for i in np.flatnonzero(batch.feedback).tolist():
        body = made.feedback.body(f"run-1-{i}", int(batch.truth[i]))
        status, _, answer = await exchange(app, "POST", made.feedback.form.path, [body], json_headers)
        assert (status, json.loads(answer)) == (200, {"accepted": True})


@pytest.mark.parametrize(
    ("payload", "accuracy", "drifting"),
    [
        ({}, 1.0, []),
        ({"shift": "concept", "share": 0.3}, 0.7, []),
        ({"shift": "concept", "share": 1, "protocol": "v2"}, 0.0, []),
        ({"shift": "mean", "features": ["f7"], "by_sd": 0.5}, 1.0, ["f7"]),
    ],
)
def test_accuracy_falls_with_the_truth_and_drift_follows_the_inputs(service, payload, accuracy, drifting):
    seen, labels, drifted = play(service, payload)
    assert labels == COUNT / 2
    assert seen == pytest.approx(accuracy, abs=0.04) and drifted == drifting
