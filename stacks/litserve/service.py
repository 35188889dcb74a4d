"""A scorer behind LitServe, with the metrics that monitoring needs: LitServe itself exports none.

LitServe runs the model in a process of its own and the HTTP server in another. Requests are counted and timed in the
HTTP server's, by a middleware, after the response was built: that is what clients see.
"""

from __future__ import annotations

import argparse
import time

import litserve
from fastapi import HTTPException
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/predict"
WEIGHTS = (0.8, -0.4, 0.3, 0.1)
BIAS = -0.2
SLO_S = 0.25
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, SLO_S, 0.35, 0.5, 0.75, 1, 2.5, 5, 10)


class Scorer(litserve.LitAPI):
    """A linear score over four features, and whether it is above 0."""

    def setup(self, device: str) -> None:
        """Load the model: here, nothing but numbers."""
        self.weights = WEIGHTS

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would make LitServe look for a query
        """Return the row; what is no row of numbers is the client's mistake."""
        row = request.get("features") if isinstance(request, dict) else None
        if not isinstance(row, list) or len(row) != len(WEIGHTS) or not all(_is_number(value) for value in row):
            raise HTTPException(422, f"expected features: {len(WEIGHTS)} numbers")
        return [float(value) for value in row]

    def predict(self, row: list[float]) -> float:
        """Return the score."""
        return BIAS + sum(weight * value for weight, value in zip(self.weights, row, strict=True))

    def encode_response(self, score: float) -> dict[str, float]:
        """Return the answer."""
        return {"prediction": int(score > 0), "score": score}


def _outcome(status: int) -> str:
    if status >= 500:
        return "error"
    return "rejected" if status >= 400 else "success"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Measured:
    """ASGI middleware: counts and times every inference request, and answers /metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.registry = CollectorRegistry()
        self.requests = Counter("scorer_requests", "Inference requests.", ["status"], registry=self.registry)
        self.latency = Histogram("scorer_latency_seconds", "Seconds.", buckets=BUCKETS_S, registry=self.registry)
        for status in ("success", "error", "rejected"):
            self.requests.labels(status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; what is on the inference route is measured, also when it raises."""
        if scope["type"] == "http" and scope["path"] == "/metrics":
            await Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.app(scope, receive, send)
            return
        answered = 500

        async def watched(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = int(message["status"])
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        finally:
            self.latency.observe(time.perf_counter() - began)
            self.requests.labels(_outcome(answered)).inc()


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    server = litserve.LitServer(Scorer(), accelerator="cpu", middlewares=[Measured], healthcheck_path="/health")
    server.run(host=options.host, port=options.port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
