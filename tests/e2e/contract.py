"""The contract of a fault, tried on a real stack: what it does, what its witness says, and that it is always undone."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e.drills import ROOT
from tests.e2e.holder import POINTS
from tests.e2e.shared_stack import Shared
from tocsin.harness import faults
from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.engines.guardian.guard_record import GuardRecord
from tocsin.harness.engines.guardian.undo import BEYOND_S, bound_s

SHOWS_S = 30.0
"""Wall seconds after which a witness must have seen what was done, or undone."""
LOOKS, LOOK_S = 3, 0.3
"""How often a witness is asked whether it says present of what never happened, and how far apart."""
SEED = 2026
EVERY_POINT = ("kill", "pause", "model_raises", "net_partition", "silence", "disk_full", "fd_exhaustion", "cpu_hog")
"""One fault for each kind of undo: its holder is killed at every point; that of the others at one seeded point."""


class DeafStack:
    """The stack, to which nothing can be done: whatever is told to happen does not, and every call answers 200."""

    def __init__(self, live: Any, address: str) -> None:
        self._live, self._address = live, address

    def __getattr__(self, name: str) -> Any:
        if name in ("stop", "restart", "expect_end", "limit", "disconnect", "spawn", "repeat", "cease", "set"):
            return lambda *_, **__: None
        return getattr(self._live, name)

    def signal(self, role: str, number: int) -> int:
        """Say that one process got it."""
        return 1

    def run_in(self, role: str, argv: Any, **_: Any) -> tuple[int, str]:
        """Say that it went well; `df` is let through, for it does nothing."""
        return self._live.run_in(role, argv) if argv[0] == "df" else (0, "")  # type: ignore[no-any-return]

    def address(self, role: str, port: str | None = None, **_: Any) -> str:
        """Return where a server answers 200 to everything."""
        return self._address

    def proxy(self, edge: str) -> DeafStack:
        """Return something that takes conditions and does not keep them."""
        return self


@contextmanager
def agreeable() -> Iterator[str]:
    """A server that answers 200 and an empty list to everything: its address."""

    class Call(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names the base class calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Call)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def looked(fault: Any, shared: Shared) -> tuple[str, str]:
    """Ask a witness once: its state and what it saw."""
    try:
        seen = fault.witness(shared.view())
    except (OSError, StackError) as error:
        return "cannot_tell", str(error)
    return seen.state, seen.detail


def awaited(fault: Any, shared: Shared, state: str) -> tuple[float, str]:
    """Ask until the witness says `state`; return the seconds that took, and an empty string or what it said last."""
    began = time.monotonic()
    while True:
        seen, detail = looked(fault, shared)
        took_s = time.monotonic() - began
        if seen == state:
            return took_s, ""
        if took_s > SHOWS_S:
            return took_s, f"expected {state} within {SHOWS_S:g} s, the witness says {seen}: {detail}"
        time.sleep(LOOK_S)


def kept(kind: str, params: Mapping[str, Any], shared: Shared) -> dict[str, Any]:
    """Go through the whole contract with one fault; `wrong` holds a sentence for each promise that was broken."""
    fault, wrong, times = faults.make(kind, params), [], {}

    def step(name: str, action: Callable[[], object], state: str) -> None:
        try:
            action()
        except (OSError, StackError, HealError) as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
            return
        took_s, said = awaited(fault, shared, state)
        times[name] = round(took_s, 2)
        wrong.extend([f"{name}: {said}"] if said else [])

    breaker = shared.view()  # one view, as a drill has: a fault may go on in it until it is healed
    wrong += lies(fault, shared)  # heals what never happened, too
    step("inject", lambda: fault.inject(breaker), "present")
    step("inject again", lambda: fault.inject(breaker), "present")
    step("heal", lambda: fault.heal(breaker), "absent")
    step("heal again", lambda: fault.heal(breaker), "absent")
    if wrong:
        shared.mend()
    return {"kind": kind, "wrong": wrong, "times": times}


def lies(fault: Any, shared: Shared) -> list[str]:
    """Heal before anything happened, then inject without effect: the witness must never say present."""
    wrong = []
    try:
        fault.heal(shared.view())
    except (OSError, StackError, HealError) as error:
        wrong.append(f"heal before inject: {type(error).__name__}: {error}")
    if looked(fault, shared)[0] == "present":
        wrong.append("the witness says present before anything happened")
    with agreeable() as address:
        deaf = DeafStack(shared.view(), address)
        with suppress(OSError, StackError, HealError, ValueError, KeyError, TypeError, AttributeError):  # it may notice
            fault.inject(deaf)
    for _ in range(LOOKS):
        state, detail = looked(fault, shared)
        if state == "present":
            wrong.append(f"lie detector: the witness says present of what never happened: {detail}")
            break
        time.sleep(LOOK_S)
    try:
        fault.heal(shared.view())
    except (OSError, StackError, HealError) as error:
        wrong.append(f"heal of what had no effect: {type(error).__name__}: {error}")
    return wrong


def points(kind: str) -> tuple[str, ...]:
    """Return where a fault's holder is killed: everywhere, or at one point drawn with a seed."""
    return POINTS if kind in EVERY_POINT else (random.Random(f"{SEED} {kind}").choice(POINTS[1:]),)


def killed(kind: str, params: Mapping[str, Any], point: str, shared: Shared) -> dict[str, Any]:
    """Kill a holder at a point; its guardian must heal within the role's `fixed_s` and 5 s, the witness must agree."""
    fault = faults.make(kind, params)
    mine = shared.folder / "holders" / f"{kind}-{point.replace(' ', '-')}"
    shutil.rmtree(mine, ignore_errors=True)
    (mine / "stack-logs").mkdir(parents=True)
    argv = [sys.executable, "-m", "tests.e2e.holder", str(shared.work), str(mine), kind, json.dumps(params), point]
    environment = {key: value for key, value in os.environ.items() if key != "TOCSIN_RUN_ID"}
    process = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SHOWS_S * 3, check=False
    )
    began, wrong = time.monotonic(), []
    if process.returncode != -9:
        wrong.append(f"the holder ended with {process.returncode}: {process.stderr.strip()[-300:]}")
    bound = bound_s(shared.view(), GuardRecord(mine / "guard.jsonl").unhealed())
    done = _guardian(mine, bound + BEYOND_S)
    guardian_s = time.monotonic() - began
    if not done:
        wrong.append("the guardian said nothing")
    elif done["left"]:
        wrong += list(done["left"])
    if guardian_s > bound:
        wrong.append(f"the guardian took {guardian_s:.1f} s, more than {bound:.1f}")
    _, said = awaited(fault, shared, "absent")
    wrong += [f"after the guardian: {said}"] if said else []
    if wrong:
        shared.mend()
    return {"kind": kind, "point": point, "wrong": wrong, "guardian_s": round(guardian_s, 2), "bound_s": bound}


def _guardian(mine: Any, within_s: float) -> dict[str, Any]:
    """Wait for what the guardian of a holder writes down when it has finished."""
    deadline = time.monotonic() + within_s
    journal = mine / "journal.jsonl"
    while time.monotonic() < deadline:
        if journal.exists() and (lines := journal.read_text(encoding="utf-8").splitlines()):
            return dict(json.loads(lines[-1]))
        time.sleep(0.02)
    return {}
