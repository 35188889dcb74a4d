"""The reference stack's programs live in their own folder, and a service to ask without a socket."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
sys.path.insert(0, str(STACK))


class Service:
    """The app and its parts; `call` sends one request straight into the ASGI app."""

    def __init__(self, log):
        from service.app import make_app, make_parts

        self.log = log
        self.parts = make_parts(log, {})
        self.app = make_app(self.parts, {})

    def call(self, method, path, body=b"", headers=None, app=None):
        chunks = list(body) if isinstance(body, (list, tuple)) else [body]
        return asyncio.run(exchange(app or self.app, method, path, chunks, headers or {}))

    def post(self, path, document, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, json.dumps(document).encode(), {"content-type": "application/json", **named})

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def metric(self, name, **labels):
        return self.parts.metrics.registry.get_sample_value(name, labels)

    def counts(self):
        known = [("shuttle", "success"), ("shuttle", "error"), ("shuttle", "rejected"), ("unknown", "rejected")]
        return {
            pair: count
            for pair in known
            if (count := self.metric("ml_predictions_total", model_name=pair[0], status=pair[1]))
        }


async def exchange(app, method, path, chunks, headers):
    """Return (status, headers, body); None for a status when the app answered nothing."""
    messages = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
        if chunk is not None
    ]
    sent = []

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    raw = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": raw, "scheme": "http",
        "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    start = next((message for message in sent if message["type"] == "http.response.start"), None)
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    if start is None:
        return None, {}, body
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path / "logs" / "requests.jsonl")
    yield made
    made.parts.log.close()


@pytest.fixture
def turned(service):
    """Turn a fault on for the length of a block."""
    from service.faults.switches import FAULTS

    faults = service.parts.faults

    def turn_on(name, **parameters):
        faults.turn_on(name, parameters)

    yield turn_on
    for name in FAULTS:
        faults.turn_off(name)
    assert faults.state() == {}
