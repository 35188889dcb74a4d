"""What became of one request, and how that is recorded."""

from __future__ import annotations

import math
from typing import NamedTuple

from tocsin.harness.evidence.requests import DROPPED, RequestBuffer
from tocsin.harness.traffic.request_schedule import Due


class Exchange(NamedTuple):
    """Place in OUTCOMES, HTTP status (0: none), and epoch seconds as in RECORD."""

    outcome: int
    status: int
    sent: float
    first_byte: float
    done: float


NEVER_SENT = Exchange(DROPPED, 0, math.nan, math.nan, math.nan)
"""A request that this side could not or would not send."""


class RecordWriter:
    """The records of one worker. `start` is when play began, epoch seconds: intended times count from it."""

    def __init__(self, run_id: str, worker: int, writer: RequestBuffer) -> None:
        self.start = math.nan
        self._prefix = f"{run_id}-{worker}-".encode()
        self._worker = worker
        self._pack = writer.pack

    def id_of(self, due: Due) -> bytes:
        """Return a request's id: `<run_id>-<worker>-<index>`."""
        return self._prefix + b"%d" % due.index

    def record(self, due: Due, exchange: Exchange) -> None:
        """Record one request."""
        outcome, status, sent, first_byte, done = exchange
        request_id, intended = self._prefix + b"%d" % due.index, self.start + due.at_s
        self._pack(request_id, due.kind, outcome, status, self._worker, intended, sent, first_byte, done)

    def record_as(self, request_id: str, kind: int, exchange: Exchange, intended: float) -> None:
        """Record a request that is in no schedule."""
        outcome, status, sent, first_byte, done = exchange
        self._pack(request_id.encode(), kind, outcome, status, self._worker, intended, sent, first_byte, done)
