"""The path of an inference request, from bytes to an answer that is counted, timed and logged exactly once.

A plain ASGI app: no model validation library runs per request, and the tiny model runs on the event loop itself.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from service.accuracy import Accuracy
from service.bodies import Refused, check_content_type, read_body, read_object
from service.drift import DriftMonitor
from service.faults.switches import Faults
from service.metrics import ERROR, REJECTED, SUCCESS, UNKNOWN_MODEL, Metrics
from service.model import MODEL_NAME, Model
from service.protocols import InferenceProtocol
from service.requestlog import RequestLog, timestamp

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LEVELS = {SUCCESS: "INFO", REJECTED: "WARN", ERROR: "ERROR"}
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass
class Parts:
    """All that answers a request. `ready` is what /readyz reports, `faults` those that are on."""

    model: Model
    metrics: Metrics
    drift: DriftMonitor
    accuracy: Accuracy
    log: RequestLog
    ready: bool = False

    def __post_init__(self) -> None:
        self.faults = Faults(self.log)

    @property
    def version(self) -> str:
        """The version of the model that is served."""
        return self.faults.version or self.model.version

    def wall_s(self) -> float:
        """Return the service's wall clock, epoch seconds: where all its times come from."""
        return time.time() + self.faults.offset_s


@dataclass
class Answer:
    """What a request gets, and how it is counted. `outcome` is a value of ml_predictions_total's label `status`."""

    status: int
    outcome: str
    body: bytes
    message: str


class Inference:
    """The ASGI app behind one inference route."""

    def __init__(self, parts: Parts, protocol: InferenceProtocol) -> None:
        self.parts = parts
        self.protocol = protocol

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. It always gives one count, one latency observation and one log line."""
        headers = dict(scope["headers"])
        request_id = _matching(_REQUEST_ID, headers.get(b"x-request-id")) or uuid.uuid4().hex
        named = scope.get("path_params", {})
        model, version = named.get("name", MODEL_NAME), named.get("version", self.parts.version)
        if model != MODEL_NAME:
            model = UNKNOWN_MODEL
        with self.parts.metrics.in_flight.track_inprogress():
            started = time.perf_counter()
            answer = _failed(500, ERROR, "failed before it was answered")
            try:
                if scope["method"] != "POST":
                    raise Refused(405, "expected POST")
                body = await read_body(headers, receive)
                started = time.perf_counter()
                delay_s = self.parts.faults.delay_s()
                if delay_s > 0:
                    await asyncio.sleep(delay_s)
                answer = self._answer(headers, body, model, version, request_id)
            except Refused as refused:
                answer = self._refuse(refused)
            except asyncio.CancelledError:
                answer = _failed(499, REJECTED, "cancelled before its body was complete")
                raise
            finally:
                self._record(headers, model, request_id, answer, time.perf_counter() - started)
        await _send(send, answer, request_id)

    def _answer(self, headers: Mapping[bytes, bytes], body: bytes, model: str, version: str, request_id: str) -> Answer:
        """Predict. No await in here: what happens between the body and the answer is one step of the event loop."""
        parts = self.parts
        if model == UNKNOWN_MODEL:
            raise Refused(404, f"no such model; there is {MODEL_NAME}")
        if version != parts.version:
            raise Refused(404, f"no such version; {MODEL_NAME} is served as {parts.version}")
        check_content_type(headers)
        document = read_object(body)
        rows = self.protocol.rows(document)
        now_s = time.monotonic()
        for row in rows:
            parts.drift.window.add(row, now_s)
        try:
            parts.faults.before_predict()
            classes, scores = parts.faults.answered(*parts.model.predict(rows))
            if not all(map(math.isfinite, scores)):
                parts.metrics.nonfinite_outputs.inc()
                raise ArithmeticError("a score is no finite number")
            answer = self.protocol.answer(document, request_id, version, classes, scores)
            encoded = _encode(answer).encode()
        except Exception as error:  # whatever the model raises is an error of the service, and says so
            return _failed(500, ERROR, f"the model failed: {type(error).__name__}: {error}"[:200])
        if len(rows) == 1:
            parts.accuracy.predicted(request_id, classes[0])
        return Answer(200, SUCCESS, encoded, "answered")

    def _refuse(self, refused: Refused) -> Answer:
        if refused.bad_values:
            self.parts.drift.window.add_bad(refused.bad_values, time.monotonic())
        return _failed(refused.status, REJECTED, refused.reason)

    def _record(
        self, headers: Mapping[bytes, bytes], model: str, request_id: str, answer: Answer, took_s: float
    ) -> None:
        metrics = self.parts.metrics
        metrics.outcomes[model, answer.outcome].inc()
        metrics.latency[model].observe(took_s)
        line = {
            "@timestamp": timestamp(self.parts.wall_s()),
            "level": _LEVELS[answer.outcome],
            "message": answer.message,
            "request_id": request_id,
            "traceparent": _matching(_TRACEPARENT, headers.get(b"traceparent")),
            "model": model,
            "model_version": self.parts.version,
            "route": self.protocol.routes[0],
            "status": answer.status,
            "outcome": answer.outcome,
            "latency_ms": round(took_s * 1000, 3),
        }
        if not self.parts.log.write(line, time.monotonic()):
            metrics.log_lines_dropped.inc()


def _matching(pattern: re.Pattern[str], value: bytes | None) -> str | None:
    text = (value or b"").decode("latin-1")
    return text if pattern.fullmatch(text) else None


def _failed(status: int, outcome: str, reason: str) -> Answer:
    return Answer(status, outcome, _encode({"error": reason}).encode(), reason)


async def _send(send: Send, answer: Answer, request_id: str) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in (405, 408, 413):  # the rest of a body may still be on its way
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
