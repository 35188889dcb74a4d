"""A proxy process on one edge, before a server that a test chooses."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.sidecars.proxy.edge_control import call_control
from tocsin.harness.sidecars.proxy.probe import EdgeAnswer, ask_once

ROOT = Path(__file__).resolve().parents[2]
EDGE = "prometheus -> model"


@dataclass
class Standing:
    """A proxy that stands: an EdgeProxy."""

    listens: str
    calls: str
    control: str

    def set(self, **conditions: Any) -> dict[str, Any]:
        return call_control(self.control, EDGE, conditions)

    def state(self) -> dict[str, Any]:
        return call_control(self.control, EDGE)

    def ask(self, path: str, within_s: float, padding: str = "") -> EdgeAnswer:
        return ask_once(self.listens, path, within_s, padding)


def command(control: int, listen: int, target: str) -> list[str]:
    """Return the command of a proxy on one edge."""
    module = ["-m", "tocsin.harness.sidecars.proxy"]
    return [sys.executable, *module, "--control", str(control), "--edge", EDGE, str(listen), target]


@contextmanager
def standing(target: str) -> Iterator[Standing]:
    """Start a proxy before `target` and wait until it answers."""
    listen, control = choose_ports(2)
    process = subprocess.Popen(command(control, listen, target), cwd=ROOT)
    proxy = Standing(listens=f"127.0.0.1:{listen}", calls=target, control=f"127.0.0.1:{control}")
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                proxy.state()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "the proxy never answered"
                time.sleep(0.01)
        yield proxy
    finally:
        process.terminate()
        assert process.wait(5) == 0
