"""A stack of small HTTP servers in a temporary folder: enough to try the engine without any third-party program."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.scenario import Scenario
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.run_folders import Run, make_run

SERVER = """
    import json, os, sys, time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    port, how = int(sys.argv[1]), sys.argv[2:]
    print("hello from", port, flush=True)
    if "dies" in how:
        print("ValueError: the cellar is flooded", flush=True)
        sys.exit(3)

    class Call(BaseHTTPRequestHandler):
        told = []
        def do_GET(self):
            if "hungry" in how:
                open("eaten", "ab").write(bytes(65536))
            body = json.dumps({"env": dict(os.environ), "told": self.told, "pid": os.getpid(), "uid": os.geteuid()})
            self.answer(503 if "sick" in how else 200, body.encode())
        def do_PUT(self):
            self.told.append([self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()])
            self.answer(400 if "refuses" in how else 200, b"no such thing")
        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *args):
            pass

    if "deaf" in how:
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = ThreadingHTTPServer(("127.0.0.1", port), Call)
    if "writes" in how:
        open(how[how.index("writes") + 1], "a").write("ready")
    server.serve_forever()
"""


def role(*how: str, declared: int, health: dict[str, Any] | None = None, **local: Any) -> dict[str, Any]:
    """Return a role that runs the small server; `how` it behaves: dies, sick, deaf, hungry, refuses, writes FILE."""
    argv = ["{python}", "{stack}/server.py", "{port}", *how]
    return {
        "ports": {"http": declared},
        "memory_mib": 15,
        "local": {"argv": argv, "health": health or {"http": "/", "within_s": 10.0}, "stop_s": 2.0, **local},
    }


def make_stack(folder: Path, roles: dict[str, Any], **more: Any) -> Stack:
    """Write a stack folder with these roles and return its Stack."""
    folder.mkdir(exist_ok=True)
    (folder / "server.py").write_text(textwrap.dedent(SERVER), encoding="utf-8")
    content = {
        "version": 1,
        "name": "tiny",
        "prometheus": "prometheus/prometheus.yml",
        "alertmanager": "alertmanager/alertmanager.yml",
        "roles": roles,
        "signals": {"jobs": {}},
        "payload": {"role": "web", "sample": "none.npz", "features": ["a"], "path": "/", "body": "$row"},
        **more,
    }
    return Stack.model_validate(content).at(folder)


def make_timeline(stack: Stack, speed: float = 1.0) -> Timeline:
    """Return a timeline that holds nothing but the stack and the speed."""
    scenario = Scenario.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "summary": "Nothing happens.",
            "timeline": [{"phase": "calm", "for": "1m"}],
            "expect": [{"check": "alerts/quiet", "args": {}}],
        }
    )
    return Timeline(
        scenario=scenario,
        stack=stack,
        seed=0,
        speed=speed,
        phases=(),
        faults=(),
        steps=(),
        alerts=(),
        floors=(),
        scrape_interval_s=15.0,
        evaluation_interval_s=15.0,
        group_interval_s=300.0,
    )


def new_run(folder: Path, speed: float = 1.0) -> tuple[Run, Journal]:
    """Return a run below `folder` and its journal."""
    clock = RunClock(speed)
    run = make_run("tiny", runs=folder / "runs", clock=clock)
    return run, Journal(run.folder / "journal.jsonl", clock)
