"""Sends the records of a worker on another machine to the master, which writes them."""

from __future__ import annotations

from collections import deque

import gevent
import numpy as np
from locust.runners import WorkerRunner

from tocsin.harness.evidence.requests import RequestBuffer
from tocsin.harness.traffic.locust.master_protocol import ROWS

_EVERY_S = 0.1


class RemoteRecords(RequestBuffer):
    """A RequestBuffer whose rows go to the master over Locust's protocol, from a greenlet of its own."""

    def __init__(self, runner: WorkerRunner) -> None:
        super().__init__()
        self._runner = runner
        self._waiting: deque[bytes] = deque()
        self._sending = gevent.spawn(self._send_for_ever)

    def _write(self, rows: np.ndarray) -> None:
        self._waiting.append(rows.tobytes())

    def _close(self) -> None:
        self._sending.kill()
        self._send()

    def _send_for_ever(self) -> None:
        while True:
            gevent.sleep(_EVERY_S)
            self._send()

    def _send(self) -> None:
        while self._waiting:
            self._runner.send_message(ROWS, {"rows": self._waiting[0]})
            self._waiting.popleft()
