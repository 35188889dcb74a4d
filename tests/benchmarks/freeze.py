"""Freeze conformance: does the record show that the server stood still?

Constant 500/s for 10 s; the server is stopped from second 2 to 8. The 3 000 requests of the freeze wait 9 000 s in all,
and when it goes on at R per second the backlog lets those behind it wait 3000^2 / (2 (R - 500)) s more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.generators import end, pinned, plan
from tests.benchmarks.servers import Nginx
from tocsin.harness.evidence.requests import read_requests

RATE_PER_S, LENGTH_S, FREEZE_S, BEFORE_S = 500, 10, 6, 2
FROZEN = RATE_PER_S * FREEZE_S


def conform(server: Nginx, work: Path, core: int, client: str) -> dict[str, float]:
    """Play it with a client (`keepalive`, `fasthttp`); return seconds waited, seconds expected, median (ms) and R."""
    phase = {
        "name": "load", "start_s": 0, "end_s": LENGTH_S, "rate_per_s": RATE_PER_S, "arrivals": "constant",
    }  # fmt: skip
    limits = {"timeout_s": 30, "users_max": 4000, "queue_max": 20_000}
    path = plan(server.address, work, phases=[phase], client=client, **limits)
    process = pinned([sys.executable, "-m", "tocsin.harness.traffic.locust", str(path)], {core})
    assert process.stdin and process.stdout
    process.stdout.readline()
    start = time.time() + 0.5
    process.stdin.write(b"start %f\n" % start)
    process.stdin.flush()
    stopped, thawed = _freeze(server, start + BEFORE_S)
    process.stdout.read()
    end(process)
    return _waits(read_requests(work / "requests"), stopped, thawed)


def _freeze(server: Nginx, at: float) -> tuple[float, float]:
    time.sleep(max(at - time.time(), 0))
    server.freeze()
    stopped = time.time()
    time.sleep(FREEZE_S)
    server.thaw()
    return stopped, time.time()


def _waits(rows: np.ndarray, stopped: float, thawed: float) -> dict[str, float]:
    latency_s = rows["done"] - rows["intended"]
    backlog = RATE_PER_S * (thawed - stopped)
    late = rows["done"][rows["done"] > thawed]
    # R: how fast answers came from the thaw until the backlog was gone, that is, while nearly all were late.
    drained = np.sort(late)[: round(backlog)]
    drain_per_s = len(drained) / (drained[-1] - thawed)
    expected_s = RATE_PER_S * (thawed - stopped) ** 2 / 2 + backlog**2 / (2 * (drain_per_s - RATE_PER_S))
    return {
        "answered": float((rows["outcome"] == 0).sum()),
        "asked": float(len(rows)),
        "waited_s": float(latency_s.sum()),
        "expected_s": float(expected_s),
        "off_percent": float(100 * (latency_s.sum() / expected_s - 1)),
        "median_ms": float(1000 * np.median(latency_s)),
        "drain_per_s": float(drain_per_s),
    }
