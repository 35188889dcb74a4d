"""Everything that can make load here, each pinned to one core and measured the same way: by the server's own count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks import programs
from tests.benchmarks.servers import Nginx

FEATURES = 13
BODY = json.dumps({"features": list(range(1, FEATURES + 1))})
CONNECTIONS = 20
_WARM_S = 0.7
_K6 = """
import http from 'k6/http';
export const options = { vus: %d, duration: '600s', discardResponseBodies: false };
const more = { headers: { 'content-type': 'application/json' } };
export default function () { http.post('http://%s/predict', '%s', more); }
"""


@dataclass(frozen=True)
class Sample:
    """One run: requests the server had per wall second, and per second of the generator's processor time."""

    rps: float
    rps_per_cpu_s: float
    cores: float = 0.0
    """Processors kept busy by the generator and the server together."""


@dataclass(frozen=True)
class Generator:
    """`argv` makes the command line from the server's address and a work folder; it runs until it is ended."""

    name: str
    loop: str
    argv: Callable[[str, Path], list[str]]
    start: bytes = b""

    def measure(self, server: Nginx, work: Path, core: int, seconds: float) -> Sample:
        """Run it for so many seconds after it has warmed up."""
        before = server.requests()
        process = pinned(self.argv(server.address, work), {core})
        return observe(server, [process], before, seconds, self.start)


def observe(
    server: Nginx, processes: list[subprocess.Popen[bytes]], before: int, seconds: float, start: bytes
) -> Sample:
    """Count what generators send and spend in so many seconds, then end them. `before`: what the server had before."""
    try:
        for process in processes if start else ():
            assert process.stdin and process.stdout
            process.stdout.readline()
            process.stdin.write(start % time.time())
            process.stdin.flush()
        _await_requests(server, before + 100, processes)
        time.sleep(_WARM_S)
        began, spent, count = time.monotonic(), _cpu_s(processes), server.requests()
        served = server.cpu_s()
        time.sleep(seconds)
        ended, spent_then, count_then = time.monotonic(), _cpu_s(processes), server.requests()
        served = server.cpu_s() - served
    finally:
        for process in processes:
            end(process)
    seconds, spent, count = ended - began, spent_then - spent, count_then - count
    return Sample(count / seconds, count / spent, (spent + served) / seconds)


def pinned(argv: list[str], cores: set[int]) -> subprocess.Popen[bytes]:
    """Start a generator on these cores."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=programs.environment(),
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a generator, by force if it takes long."""
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _cpu_s(processes: list[subprocess.Popen[bytes]]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def _await_requests(server: Nginx, count: int, processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + 20
    while server.requests() < count:
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise SystemExit(f"{processes[0].args} sends nothing.")
        time.sleep(0.05)


def plan(address: str, work: Path, *, rate_per_s: float = 0, seconds: float = 600, **more: Any) -> Path:
    """Write the plan of a traffic process: Poisson arrivals of rows with 13 features. `more`: fields of TrafficPlan."""
    work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = {name: rng.integers(0, 100, (4000, FEATURES)).astype(np.int16) for name in ("reference", "live")}
    np.savez(work / "sample.npz", **rows, live_labels=np.zeros(4000))
    names = [f"f{number}" for number in range(1, FEATURES + 1)]
    phase = {"name": "load", "start_s": 0, "end_s": seconds, "rate_per_s": rate_per_s, "arrivals": "poisson"}
    whole = {
        "run_id": "bench",
        "address": address,
        "records": str(work / "requests"),
        "sample": str(work / "sample.npz"),
        "payload": {"path": "/predict", "body": '{"features": $row}', "features": names, "integers": True},
        "seed": 1,
        "phases": [phase],
        **more,
    }
    path = work / f"plan-{whole.get('worker', 1)}.json"
    path.write_text(json.dumps(whole))
    return path


def tocsin(rate_per_s: float, **more: Any) -> Callable[[str, Path], list[str]]:
    """Return the command line of our own, open loop."""

    def argv(address: str, work: Path) -> list[str]:
        path = plan(address, work, rate_per_s=rate_per_s, **more)
        return [sys.executable, "-m", "tocsin.harness.traffic.locust", str(path)]

    return argv


def _tocsin_closed(address: str, work: Path) -> list[str]:
    asked = {"t_s": [0, 600], "rate_per_s": [0, 0], "gaps": "closed", "users": CONNECTIONS, "think_s": 0}
    phases = [{"name": "load", "start_s": 0, "end_s": 600, "asked": asked}]
    return [sys.executable, "-m", "tocsin.harness.traffic.locust", str(plan(address, work, phases=phases))]


def _locust(user: str) -> Callable[[str, Path], list[str]]:
    def argv(address: str, work: Path) -> list[str]:
        users = ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "--host", f"http://{address}", user]
        file = str(Path(__file__).with_name("locust_users.py"))
        return [sys.executable, "-m", "locust", "-f", file, "--headless", "--only-summary", *users]

    return argv


def _k6(address: str, work: Path) -> list[str]:
    script = work / "k6.js"
    script.write_text(_K6 % (CONNECTIONS, address, BODY))
    return [str(programs.find("k6")), "run", "--quiet", "--no-summary", str(script)]


def _wrk(address: str, work: Path) -> list[str]:
    script = work / "wrk.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.body = '{BODY}'\nwrk.headers['content-type'] = 'application/json'\n")
    return [
        str(programs.find("wrk")), "-t1", f"-c{CONNECTIONS}", "-d600s", "-s", str(script), f"http://{address}/predict",
    ]  # fmt: skip


def _hey(address: str, work: Path) -> list[str]:
    post = ["-m", "POST", "-T", "application/json", "-d", BODY]
    return [str(programs.find("hey")), "-z", "600s", "-c", str(CONNECTIONS), *post, f"http://{address}/predict"]


OVERLOAD = {"users_max": 64, "queue_max": 1000, "timeout_s": 30}
START = b"start %f\n"
ALL = (
    Generator("tocsin, 30 000/s asked", "open", tocsin(30_000), START),
    Generator("tocsin, more asked than a core can", "open", tocsin(90_000, **OVERLOAD), START),
    Generator("tocsin, closed phase", "closed", _tocsin_closed, START),
    Generator("Locust FastHttpUser", "closed", _locust("Fast")),
    Generator("Locust HttpUser", "closed", _locust("Plain")),
    Generator("k6", "closed", _k6),
    Generator("hey", "closed", _hey),
    Generator("wrk", "closed", _wrk),
)
