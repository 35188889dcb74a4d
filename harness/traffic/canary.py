"""The canary process: one ordinary request each interval, and more on demand, all recorded. Without Locust.

Started as `python -m tocsin.harness.traffic.canary PLAN.json`. stdin: `probe N`, `answers N`, `stop` (or its end).
Events on stdout: `ready`, `probed` with the statuses (0: no answer) and, for `answers`, the bodies, `done`. It runs
apart from the load: it is there before the load starts and after it has ended.
"""

from __future__ import annotations

import itertools
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import BROKEN
from tocsin.harness.evidence.requests import KINDS, UNKNOWN, RequestWriter
from tocsin.harness.traffic.clients.exchange import Exchange, RecordWriter
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.clients.response_check import missing_fields
from tocsin.harness.traffic.clients.response_reader import BodyReader
from tocsin.harness.traffic.load_plan import CanaryPlan, load_or_report
from tocsin.harness.traffic.payloads import CANARY, load_sample
from tocsin.harness.traffic.stdout_events import both_clocks, emit

_KIND = KINDS.index(CANARY.name)
_WORKER = 0
_PATIENCE_S = 1.0
_BODY_BYTES = 4096


class CanarySender:
    """Sends canaries from two threads: `beat` on its grid of times, `serve_probes` when asked."""

    def __init__(self, plan: CanaryPlan) -> None:
        self._plan = plan
        self._sample = load_sample(plan.sample, plan.payload.model_dump(), plan.reference)
        self._rng = np.random.default_rng(plan.seed)
        self._lock = threading.Lock()
        self._seq = itertools.count()
        self._now = RunClock().now
        self._writer = RequestWriter(plan.records / f"{_WORKER}.npy")
        self._records = RecordWriter(plan.run_id, _WORKER, self._writer)
        self._stopped = threading.Event()
        self._probes: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._clients = [
            KeepAlive(plan.address, self._now, plan.timeout_s, plan.tls_context, answers=BodyReader) for _ in range(2)
        ]
        self._threads = [
            threading.Thread(target=self._guarded, args=(run,), daemon=True) for run in (self._beat, self._serve_probes)
        ]
        self.sent = 0
        self.checked = 0
        self.lacking: list[str] = []
        self.crash = ""

    def start(self) -> None:
        """Begin sending."""
        for thread in self._threads:
            thread.start()

    def probe(self, count: int, bodies: bool = False) -> None:
        """Queue `count` requests, one after the other; a `probed` event answers, with the bodies if `bodies`."""
        self._probes.put((count, bodies))

    def stop(self) -> None:
        """End: give what is under way a second, then give it up; write every record."""
        self._stopped.set()
        self._probes.put((0, False))
        deadline = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        for client in self._clients:
            client.abort()
        for thread in self._threads:
            thread.join(self._plan.timeout_s + _PATIENCE_S)
        with self._lock:
            self._writer.close()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # a silent canary would blind the run: end the process instead
            self.crash = f"A canary thread broke: {error!r}."
            os.kill(os.getpid(), signal.SIGTERM)

    def _beat(self) -> None:
        start = self._now()
        for beat in itertools.count():
            intended = start + beat * self._plan.every_s
            behind_s = self._now() - intended
            if behind_s > self._plan.every_s:
                continue  # the last answer took longer than the interval: beats that fell due meanwhile are left out
            if self._stopped.wait(max(-behind_s, 0.0)):
                return
            self._send(self._clients[0], intended)

    def _serve_probes(self) -> None:
        while True:
            count, with_bodies = self._probes.get()
            if self._stopped.is_set():
                return
            statuses: list[int] = []
            bodies: list[str] = []
            while len(statuses) < count and not self._stopped.is_set():
                statuses.append(self._send(self._clients[1], self._now()))
                bodies.append(self._clients[1].body[:_BODY_BYTES].decode("utf-8", errors="replace"))
            if with_bodies:
                emit("probed", statuses=statuses, bodies=bodies)
            else:
                emit("probed", statuses=statuses)

    def _send(self, client: KeepAlive, intended: float) -> int:
        with self._lock:
            request_id = f"{self._plan.run_id}-{_WORKER}-{next(self._seq)}"
            row = self._sample.row(int(self._rng.integers(len(self._sample.live))))
        protocol = self._sample.protocol
        exchange = Exchange(UNKNOWN, 0, intended, math.nan, math.nan)
        try:
            exchange = client.send(request_id, CANARY.form(protocol), CANARY.make(row, protocol))
        finally:
            self._record(request_id, intended, exchange)
        if exchange.status == 200:
            self._check(request_id, client.body)
        return exchange.status

    def _check(self, request_id: str, body: bytes) -> None:
        """Look for the fields that a good answer holds."""
        lacking = missing_fields(body, self._plan.payload.response)
        with self._lock:
            self.checked += bool(self._plan.payload.response)
            if lacking:
                self.lacking.append(f"{request_id} has no {', '.join(lacking)}")

    def _record(self, request_id: str, intended: float, exchange: Exchange) -> None:
        with self._lock:
            self._records.record_as(request_id, _KIND, exchange, intended)
            self._writer.flush()
            self.sent += 1


def _follow_commands(canary: CanarySender) -> None:
    """Read commands until `stop`, the end of stdin or SIGTERM."""
    try:
        for line in sys.stdin:
            words = line.split()
            if words == ["stop"]:
                return
            if len(words) == 2 and words[0] in ("probe", "answers") and words[1].isdigit():
                canary.probe(int(words[1]), bodies=words[0] == "answers")
    except KeyboardInterrupt:
        return


def main(argv: list[str]) -> int:
    """Run until told to stop; return 0, or an exit code after an `error` event."""
    canary = load_or_report("tocsin.harness.traffic.canary PLAN.json", argv, CanaryPlan, CanarySender)
    if isinstance(canary, int):
        return canary
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    canary.start()
    emit("ready", **both_clocks())
    _follow_commands(canary)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    canary.stop()
    if canary.crash:
        emit("error", message=canary.crash)
        return BROKEN
    example = "".join(canary.lacking[:1])
    checks = {"checked": canary.checked, "lacking": len(canary.lacking), "lacking_example": example}
    emit("done", sent=canary.sent, **checks, **both_clocks())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
