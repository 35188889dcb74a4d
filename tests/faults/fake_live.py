"""A stack for faults to be tried on: what they ask for is written down, what they see is given."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tocsin.harness.declarations.stack import Stack

EDGES = ["prometheus -> model", "prometheus -> alertmanager", "alertmanager -> pager", "shipper->elasticsearch"]

DISKS = ("request-log", "shipper-spool")
ABLE = frozenset({"start", "signal", "freeze", "run_in", "limit:memory", "limit:open_files", "disconnect"})
ABLE |= {f"{able}:{disk}" for able in ("disk", "slow") for disk in DISKS}
"""The capabilities of an engine that can do everything."""


def fault_stack() -> Stack:
    """Return a stack with the usual roles, edges and the hook."""
    names = ["model", "prometheus", "alertmanager", "pager", "elasticsearch", "shipper", "node", "gpu"]
    roles: dict[str, Any] = {
        name: {"ports": {"http": 8000 + n}, "local": {"argv": ["x"], "health": {"http": "/ready"}}}
        for n, name in enumerate(names)
    }
    roles["model"]["ports"]["control"] = 7999
    roles["shipper"]["local"]["health"] = {"file": "{data}/log"}
    logs = {"role": "elasticsearch", "index": "a", "unparsed": "b", "id": "c", "time": "d", "status": "e", "files": "f"}
    return Stack.model_validate(
        {
            "version": 1,
            "name": "faulty",
            "prometheus": "p.yml",
            "alertmanager": "a.yml",
            "roles": roles,
            "edges": EDGES,
            "signals": {"jobs": {}, "logs": logs, "accuracy": {"metric": "ml_model_accuracy", "label": "model_name"}},
            "payload": {"role": "model", "sample": "s", "features": ["f"], "path": "/", "body": "$row"},
            "disks": {disk: {"role": "model", "path": "{work}/model/logs", "mib": 4} for disk in DISKS},
            "hooks": {name: {"role": "model", "port": "control", "path": "/faults/{kind}"} for name in ("*", "*/*")},
        }
    )


class FakeLive:
    """A LiveStack whose every role answers at one address; `statuses` is what probes are told."""

    def __init__(self, at: str, statuses: tuple[int, ...] = (), *, runs: bool = True) -> None:
        self.stack = fault_stack()
        self.work, self.run_id, self.speed = Path("/nowhere"), "r", 30.0
        self.at, self.statuses, self.runs = at, statuses, runs
        self.done: list[tuple[Any, ...]] = []
        self.capabilities = ABLE
        self.seen: dict[str, float] = {}
        self.stopped = (0, 1)
        self.joined: tuple[str, ...] = ("default",)
        self.turns: dict[str, Callable[[], float]] = {}

    def address(self, role: str, port: str | None = None) -> str:
        return self.at

    def proxy(self, edge: str) -> FakeLive:
        return self

    def set(self, **conditions: Any) -> dict[str, Any]:
        if conditions:
            self.done.append(("set", conditions))
        return {}

    def alive(self, role: str) -> bool:
        return self.runs

    def stop(self, role: str, *, kill: bool = False) -> None:
        self.done.append(("stop", role, kill))
        self.runs = False

    def restart(self, role: str, *, wait: bool = True) -> None:
        self.done.append(("restart", role))
        self.runs = True

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        self.turns.setdefault(name, do)

    def cease(self, name: str) -> None:
        self.turns.pop(name, None)

    def signal(self, role: str, number: int) -> int:
        return int(self.runs)

    def frozen(self, role: str) -> tuple[int, int]:
        return self.stopped

    def limit(self, role: str, **limits: float) -> None:
        if limits:
            self.done.append(("limit", role, limits))

    def disconnect(self, role: str) -> None:
        self.done.append(("disconnect", role))
        self.joined = ()

    def reconnect(self, role: str) -> None:
        self.joined = ("default",)

    def networks(self, role: str) -> tuple[str, ...]:
        return self.joined

    def usage(self, role: str) -> Mapping[str, float]:
        return self.seen

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        return 0, ""

    def disk(self, name: str) -> str:
        return "/nowhere/logs"

    @property
    def prober(self) -> FakeLive:
        return self

    def probe(self, count: int) -> list[int]:
        self.done.append(("probe", count))
        return [self.statuses[n % len(self.statuses)] for n in range(count)] if self.statuses else []


@contextmanager
def answering(status: int, text: str = "told") -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A server that answers everything the same: its address, and the calls it got (method, path, content)."""
    calls: list[tuple[str, str, Any]] = []

    class Call(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            calls.append((self.command, self.path, json.loads(self.rfile.read(length)) if length else None))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names the base class calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Call)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
