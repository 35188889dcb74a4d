"""Every fault of the service's hooks against the service itself: seen when it is there, not when it is prevented."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.test_all_faults import EXAMPLES
from tocsin.harness import faults
from tocsin.harness.core.http import call
from tocsin.harness.declarations.fault_contract import Witness
from tocsin.harness.faults.bases.hook import HookFault
from tocsin.harness.planning.loader import load_stack

pytestmark = pytest.mark.e2e

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]
WITHIN_S = 10.0

STACK = load_stack("reference")
OWN = {  # strong and quick enough to be seen within a second
    "model_slow": {"delay_ms": 150},
    "blocked_loop": {"block_ms": 150, "every_ms": 200},
    "cold_start": {"delay_ms": 150, "requests": 50},
    "memory_leak": {"mib_per_s": 256, "most_mib": 64},
    "metrics_explode": {"series": 5000},
    "log_malformed": {"share": 0.2},
    "log_oversize": {"share": 0.05, "kib": 100},
}
UNSEEN = {"wrong_answers"}
"""Shown by labels only, which no client here sends back."""


def of_the_service(fault: faults.Fault) -> bool:
    return isinstance(fault, HookFault) and fault.role(STACK) == "model"


CASES = {kind: OWN.get(kind, params) for kind, params in EXAMPLES.items() if of_the_service(faults.make(kind, params))}


class Live:
    """The service in a process of its own, as much of a LiveStack as its faults ask for."""

    def __init__(self, work: Path) -> None:
        self.stack = STACK
        self.work, self.run_id, self.speed = work, "r", 30.0
        self.ports = {"http": free_port(), "control": free_port()}
        self.restart("model")

    def address(self, role: str, port: str | None = None) -> str:
        return f"127.0.0.1:{self.ports[port or 'http']}"

    def alive(self, role: str) -> bool:
        return self.process.poll() is None

    def stop(self, role: str, *, kill: bool = False) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self, role: str) -> None:
        argv = ["service", "--port", self.ports["http"], "--control-port", self.ports["control"]]
        argv += ["--log", self.work / "model" / "logs" / "requests.jsonl"]
        environment = {**os.environ, "TOCSIN_FAULTS": "1"}
        self.process = subprocess.Popen([sys.executable, "-m", *map(str, argv)], cwd=STACK.folder, env=environment)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if call("GET", self.address("model"), "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the service did not become ready")

    def usage(self, role: str) -> Mapping[str, float]:
        return {"memory_mib": psutil.Process(self.process.pid).memory_info().rss / (1 << 20)}

    @property
    def prober(self) -> Live:
        return self

    def answers(self, count: int) -> list[tuple[int, str]]:
        return [call("POST", self.address("model"), "/predict", body={"features": ROW}) for _ in range(count)]

    def probe(self, count: int) -> list[int]:
        return [status for status, _ in self.answers(count)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("service"))
    yield made
    made.stop("model", kill=True)


def awaited(fault: faults.Fault, live: Live, state: str) -> Witness:
    """Ask the witness until it says so, for WITHIN_S at most."""
    until = time.monotonic() + WITHIN_S
    while (seen := fault.witness(live)).state != state and time.monotonic() < until:
        time.sleep(0.05)
    return seen


def on(live: Live) -> dict[str, Any]:
    return dict(json.loads(call("GET", live.address("model", "control"), "/faults")[1]))


@pytest.mark.parametrize("kind", sorted(set(CASES) - UNSEEN))
def test_a_fault_is_seen_from_its_injection_to_its_heal(kind: str, live: Live) -> None:
    fault = faults.make(kind, CASES[kind])
    fault.heal(live)
    for _ in range(2):
        fault.inject(live)
    seen = awaited(fault, live, "present")
    assert seen.state == "present", seen.detail
    assert set(on(live)) == {kind}
    for _ in range(2):
        faults.make(kind, CASES[kind]).heal(live)
    seen = awaited(fault, live, "absent")
    assert seen.state == "absent", seen.detail
    assert on(live) == {}


@pytest.mark.parametrize("kind", sorted(set(CASES) - UNSEEN))
def test_what_is_taken_back_at_once_is_not_witnessed(kind: str, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tocsin.harness.faults.bases.hook.call", lambda *_, **__: (200, "{}")
    )  # a hook that takes it, and does nothing
    fault = faults.make(kind, CASES[kind])
    fault.inject(live)
    seen = fault.witness(live)
    assert seen.state == "absent", seen.detail
    fault.heal(live)
