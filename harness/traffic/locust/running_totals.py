"""Running totals for whoever watches."""

from __future__ import annotations

import numpy as np

from tocsin.harness.evidence.requests import ANSWERED, DROPPED, OUTCOMES


class RunningTotals:
    """Requests so far by outcome, and the latencies since the last report: counted from the records themselves."""

    def __init__(self) -> None:
        self._outcomes = np.zeros(len(OUTCOMES), int)
        self._errors_5xx = 0
        self._latencies_s: list[np.ndarray] = []
        self._sent_before = 0
        self._at_before = 0.0

    def take(self, rows: np.ndarray) -> None:
        """Count finished requests, an array of RECORD; latency runs from the intended time."""
        answered = rows["outcome"] == ANSWERED
        self._outcomes += np.bincount(rows["outcome"], minlength=len(OUTCOMES))
        self._errors_5xx += int((rows["status"][answered] >= 500).sum())
        self._latencies_s.append((rows["done"] - rows["intended"])[answered])

    def totals(self, in_flight: int = 0) -> dict[str, int]:
        """Return the totals since the start: sent (all that a client began with), each outcome, and 5xx answers."""
        sent = int(self._outcomes.sum() - self._outcomes[DROPPED]) + in_flight
        outcomes = dict(zip(OUTCOMES, self._outcomes.tolist(), strict=True))
        return {"sent": sent, **outcomes, "errors_5xx": self._errors_5xx}

    def rate(self, at: float, in_flight: int) -> dict[str, float]:
        """Return the totals, and since the last call: requests per second and the latency's median and p99 in ms."""
        latencies = np.concatenate([np.empty(0), *self._latencies_s])
        self._latencies_s = []
        totals = self.totals(in_flight)
        per_s = 0.0
        if 0 < self._at_before < at:
            per_s = (totals["sent"] - self._sent_before) / (at - self._at_before)
        self._at_before, self._sent_before = at, totals["sent"]
        rate: dict[str, float] = {**totals, "at": at, "sent_per_s": round(per_s, 1)}
        if len(latencies):
            middle, most = len(latencies) // 2, min(int(len(latencies) * 0.99), len(latencies) - 1)
            latencies = np.partition(latencies, (middle, most))
            rate["latency_ms_p50"] = round(1000 * float(latencies[middle]), 2)
            rate["latency_ms_p99"] = round(1000 * float(latencies[most]), 2)
        return rate
