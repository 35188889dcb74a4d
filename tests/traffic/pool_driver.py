"""Sends through the pool of connections, in a process of its own: gevent may not be in the tests' own.

stdin: a JSON list of {name, address, requests, timeout_s, users_max, queue_max, at_once, closes, body_bytes, stale}.
stdout: a JSON object, name -> {becomes: [[outcome, status], ...], connections_max, waited, took_s}.
"""

from __future__ import annotations

import json
import sys
import time

import gevent

from tocsin.harness.evidence.requests import OUTCOMES
from tocsin.harness.traffic.locust.connection_pool import ConnectionPool
from tocsin.harness.traffic.payloads.request_protocol import Form
from tocsin.harness.traffic.request_schedule import Due


def until(seen, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not seen() and time.monotonic() < deadline:
        gevent.sleep(0.002)


def broken_pipe(request: bytes) -> int:
    raise BrokenPipeError


def play(case: dict) -> dict:
    ended = {}
    more = {name: case[name] for name in ("timeout_s", "users_max", "queue_max")}
    keep = lambda due, exchange: ended.__setitem__(due.index, exchange)  # noqa: E731
    pool = ConnectionPool(
        case["address"], time.monotonic, id_of=lambda due: b"run-1-%d" % due.index, ended=keep, **more
    )
    lane = pool.lane(Form(path="/predict"))
    started = time.monotonic()
    for index in range(case["requests"]):
        if case["stale"] and pool._idle:  # the server closed the connection, and the loop has not heard of it yet
            next(reversed(pool._idle))._send = broken_pipe
        lane(Due(0.0, index, 0, 0, b"x" * case["body_bytes"]))
        if not case["at_once"]:
            until(lambda: not pool.in_flight)
            until(lambda: not (case["closes"] and pool._open))
    until(lambda: not pool.in_flight and not pool.waiting)
    took_s = time.monotonic() - started
    left = len(pool._open)
    pool.end()
    becomes = [(OUTCOMES[ended[index].outcome], ended[index].status) for index in sorted(ended)]
    return {
        "becomes": becomes,
        "in_flight_max": pool.in_flight_max,
        "waiting_max": pool.waiting_max,
        "took_s": took_s,
        "left_open": left,
    }


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    greenlets = {case["name"]: gevent.spawn(play, case) for case in cases}
    gevent.joinall(greenlets.values(), timeout=20)
    print(json.dumps({name: greenlet.value for name, greenlet in greenlets.items()}))
