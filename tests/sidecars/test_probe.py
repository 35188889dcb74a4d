"""One request over an edge: how it went, as a function and as a command inside the proxy's container."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.faults.fake_live import FakeLive
from tests.sidecars.standing_proxy import EDGE, ROOT, Standing, standing
from tocsin.harness.faults import make
from tocsin.harness.sidecars.proxy.probe import EdgeAnswer, How, ask_once


class Call(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.headers.get("X-Padding", "none").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[Standing]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Call) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with standing(f"127.0.0.1:{server.server_port}") as made:
            yield made
        server.shutdown()


CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "answered"),
    ({"mode": "refuse"}, "refused"),
    ({"mode": "reset"}, "reset"),
    ({"close_after_bytes": 10}, "cut"),
    ({"hold": "both"}, "silent"),
]


@pytest.mark.parametrize(("conditions", "how"), CONDITIONS, ids=[how for _, how in CONDITIONS])
def test_it_tells_how_a_request_went(proxy: Standing, conditions: dict[str, Any], how: str) -> None:
    proxy.set(**conditions)
    try:
        answer = ask_once(proxy.listens, "/x", 0.1, "pad")
    finally:
        proxy.set()
    assert answer.how == how
    assert (answer.size > 2 * len("pad")) == (how == "answered")  # headers, the body that repeats it, and the padding


def test_it_prints_one_line_for_whoever_ran_it(proxy: Standing) -> None:
    argv = [sys.executable, "-m", "tocsin.harness.sidecars.proxy.probe", proxy.listens, "/x", "0.5", ""]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    assert json.loads(done.stdout)["how"] == "answered"


class Contained(FakeLive):
    """A stack whose proxies are asked from inside; from outside everything is answered."""

    listens = calls = ""
    seen: How = "refused"

    def ask(self, path: str, within_s: float, padding: str = "") -> EdgeAnswer:
        return EdgeAnswer(how=self.seen, took_s=0.0)


@pytest.mark.parametrize(("seen", "state"), [("refused", "present"), ("answered", "absent"), ("cut", "cannot_tell")])
def test_a_witness_believes_what_is_seen_from_inside(proxy: Standing, seen: How, state: str) -> None:
    live = Contained(proxy.calls)
    live.listens = live.calls = proxy.calls
    live.seen = seen
    witness = make("net_refuse", {"edge": EDGE}).witness(live)
    assert witness.state == state, witness.detail
