"""The app: inference routes, health, metadata, delayed labels, metrics, and the drift check in the background."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.routing import Route

from service.accuracy import Accuracy
from service.bodies import Refused, check_content_type, read_body, read_object
from service.drift import DriftMonitor
from service.eventloop import keep_watch
from service.inference import Inference, Parts
from service.metrics import Metrics
from service.model import FEATURES, MODEL_NAME, load_model, load_reference
from service.protocols import OpenInference, Predict, model_metadata
from service.requestlog import RequestLog

TIMERS_S = {"DRIFT_WINDOW_S": 300.0, "DRIFT_CHECK_INTERVAL_S": 30.0, "ACCURACY_WINDOW_S": 600.0}
HTTP_READY = {True: 200, False: 503}


def timer_s(name: str, environment: Mapping[str, str] = os.environ) -> float:
    """Return a timer of TIMERS_S in seconds, from the environment or its default. ValueError unless it is above 0."""
    value = float(environment.get(name, TIMERS_S[name]))
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; expected seconds above 0")
    return value


def make_parts(log: Path, environment: Mapping[str, str] = os.environ) -> Parts:
    """Load the model and the reference sample, and make what the app needs."""
    model = load_model()
    accuracy = Accuracy(timer_s("ACCURACY_WINDOW_S", environment))
    metrics = Metrics(accuracy)
    drift = DriftMonitor(load_reference(), FEATURES, timer_s("DRIFT_WINDOW_S", environment))
    parts = Parts(model=model, metrics=metrics, drift=drift, accuracy=accuracy, log=RequestLog(log))
    metrics.show_service(model.device, lambda: parts.version, parts.wall_s)
    return parts


def check_drift(parts: Parts) -> None:
    """Check drift once and export it, stamped with the time also when there were too few rows."""
    states = parts.drift.check(time.monotonic())
    parts.metrics.show_drift(states, parts.drift.rows, parts.wall_s())


async def keep_checking_drift(parts: Parts, interval_s: float) -> None:
    """Check at every multiple of the interval; a check that raises is printed to stderr, and the next one follows."""
    due = time.monotonic()
    while True:
        try:
            check_drift(parts)
        except Exception as error:  # the timestamp grows old, and DriftCheckStale fires
            print(f"drift check: {type(error).__name__}: {error}", file=sys.stderr)
        due = max(due + interval_s, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


def make_app(parts: Parts, environment: Mapping[str, str] = os.environ) -> FastAPI:
    """Return the app. It is ready from the end of its start until it begins to stop."""
    interval_s = timer_s("DRIFT_CHECK_INTERVAL_S", environment)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts.model.predict([[0.0] * len(FEATURES)])  # the first call loads what later ones reuse
        tasks = [asyncio.create_task(keep_checking_drift(parts, interval_s)), asyncio.create_task(keep_watch(parts))]
        parts.ready = True
        yield
        parts.ready = False
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        parts.log.close()

    app = FastAPI(title="Shuttle inference", version=parts.model.version, lifespan=lifespan)
    app.router.routes.extend(
        Route(route, Inference(parts, protocol))
        for protocol in (Predict(), OpenInference())
        for route in protocol.routes
    )
    _add_health(app, parts)
    _add_feedback(app, parts)
    return app


def _add_health(app: FastAPI, parts: Parts) -> None:
    def readiness() -> JSONResponse:
        return JSONResponse({"ready": parts.ready}, HTTP_READY[parts.ready])

    def unknown_model() -> JSONResponse:
        return JSONResponse({"error": "no such model"}, 404)

    @app.get("/healthz")
    @app.get("/v2/health/live")
    async def alive() -> JSONResponse:
        return JSONResponse({"live": True})

    @app.get("/readyz")
    @app.get("/v2/health/ready")
    async def ready() -> JSONResponse:
        return readiness()

    @app.get("/metrics")
    async def metrics() -> Response:
        page = await parts.faults.page(parts.metrics.text())
        if page is None:
            return Response(status_code=500)
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    @app.get("/v2/models/{name}")
    async def metadata(name: str) -> JSONResponse:
        return JSONResponse(model_metadata(parts.version)) if name == MODEL_NAME else unknown_model()

    @app.get("/v2/models/{name}/ready")
    async def model_ready(name: str) -> JSONResponse:
        return readiness() if name == MODEL_NAME else unknown_model()


def _add_feedback(app: FastAPI, parts: Parts) -> None:
    @app.post("/feedback")
    async def feedback(request: Request) -> JSONResponse:
        """Take the delayed truth of a prediction: `{"request_id": ..., "label": 0 or 1}`."""
        headers = dict(request.scope["headers"])
        try:
            body = await read_body(headers, request.receive)
            check_content_type(headers)
            document = read_object(body)
            request_id, label = document.get("request_id"), document.get("label")
            if not isinstance(request_id, str) or type(label) is not int or label not in (0, 1):
                raise Refused(422, 'expected {"request_id": "...", "label": 0 or 1}')
            if not parts.accuracy.label(request_id, label, time.monotonic()):
                raise Refused(404, "no prediction with this request_id waits for a label")
        except Refused as refused:
            unread = {"connection": "close"} if refused.status in (408, 413) else None
            return JSONResponse({"error": refused.reason}, refused.status, unread)
        return JSONResponse({"accepted": True})
