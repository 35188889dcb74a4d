"""Stands in for what collectors ask: a live stack, a run, and small HTTP servers that answer as told."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.evidence.written_runs import SIGNALS
from tocsin.harness.core.clock import Clock, RunClock
from tocsin.harness.core.journal import Journal, read_journal
from tocsin.harness.declarations.stack_signals import Signals
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.interval import Interval

Answer = tuple[int, Any]
"""HTTP status and JSON body."""


class Server:
    """Answers each request with what `answer(method, path, parameters or body)` returns; keeps count per path."""

    def __init__(self, answer: Callable[[str, str, Any], Answer], headers: Mapping[str, str] | None = None) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.closed = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two small writes

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                size = int(self.headers.get("content-length", 0))
                body = self.rfile.read(size)
                given = json.loads(body) if body else {key: value[0] for key, value in parse_qs(parts.query).items()}
                outer.asked.append(parts.path)
                if outer.closed:  # a kept-alive connection outlives the listener
                    self.close_connection = True
                    return
                status, answered = outer.answer(self.command, parts.path, given)
                raw = json.dumps(answered).encode()
                self.send_response(status)
                for key, value in {"content-type": "application/json", **(headers or {})}.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = do_PUT = _serve  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.closed = True
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(answer: Callable[[str, str, Any], Answer], headers: Mapping[str, str] | None = None) -> Iterator[Server]:
    server = Server(answer, headers)
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Rig:
    """A run directory, a journal and a live stack whose roles are at the given addresses (others: nobody listens)."""

    def __init__(
        self, folder: Path, addresses: Mapping[str, str], speed: float = 1.0, clock: Clock | None = None, **signals: Any
    ) -> None:
        self.folder, self.work = folder / "run", folder / "work"
        for path in (self.folder, self.work):
            path.mkdir()
        self.addresses = dict(addresses)
        self.nobody = f"127.0.0.1:{free_port()}"
        self.run = SimpleNamespace(id="r", folder=self.folder, work=self.work, clock=clock or RunClock(speed))
        self.journal = Journal(self.folder / "journal.jsonl", self.run.clock)
        self.live: Any = SimpleNamespace(
            stack=SimpleNamespace(signals=Signals.model_validate({**SIGNALS, **signals})),
            work=self.work,
            run_id="r",
            speed=speed,
            address=lambda role, port=None: self.addresses.get(role, self.nobody),
        )

    def window(self) -> SettledWindow:
        now = self.run.clock.now()
        return SettledWindow(play=Interval(start=now - 1, end=now), settled_at=now)

    def collect(self, collector: Any) -> int:
        collector.stop()
        count: int = collector.collect(self.live, self.window(), self.run, self.journal)
        return count

    def facts(self, name: str) -> list[Mapping[str, Any]]:
        return [fact.more for fact in read_journal(self.folder / "journal.jsonl") if fact.fact == name]

    def start(self, collector: Any) -> Any:
        collector.start(self.live, self.run, self.journal)
        return collector


def eventually(seen: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Ask until the answer is true; fail with the last one otherwise."""
    deadline = time.monotonic() + within_s
    while not (answer := seen()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last: {answer!r}"
        time.sleep(0.01)
    return answer


def ended(process: subprocess.Popen[bytes], within_s: float = 10.0) -> None:
    """End a child we started, politely and then not."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
