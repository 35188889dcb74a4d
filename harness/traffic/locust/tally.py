"""Running totals for whoever watches."""

from __future__ import annotations

from harness.evidence.requests import ANSWERED, OUTCOMES


class Tally:
    """Requests so far by outcome, and the latencies since the last report."""

    def __init__(self) -> None:
        self.sent = 0
        self._outcomes = [0] * len(OUTCOMES)
        self._errors_5xx = 0
        self._latencies_s: list[float] = []
        self._sent_before = 0
        self._at_before = 0.0

    def count(self, outcome: int, status: int, latency_s: float) -> None:
        """Count one finished request; `latency_s` runs from the intended time."""
        self._outcomes[outcome] += 1
        if outcome == ANSWERED:
            self._errors_5xx += status >= 500
            self._latencies_s.append(latency_s)

    def totals(self) -> dict[str, int]:
        """Return the totals since the start: sent (all that a client began with), each outcome, and 5xx answers."""
        return {"sent": self.sent, **dict(zip(OUTCOMES, self._outcomes, strict=True)), "errors_5xx": self._errors_5xx}

    def rate(self, at: float) -> dict[str, float]:
        """Return the totals, and since the last call: requests per second and the latency's median and p99 in ms."""
        latencies = sorted(self._latencies_s)
        self._latencies_s = []
        span_s = at - self._at_before if self._at_before else 0.0
        per_s = (self.sent - self._sent_before) / span_s if span_s > 0 else 0.0
        self._at_before, self._sent_before = at, self.sent
        rate: dict[str, float] = {**self.totals(), "at": at, "sent_per_s": round(per_s, 1)}
        if latencies:
            rate["latency_ms_p50"] = round(1000 * latencies[len(latencies) // 2], 2)
            rate["latency_ms_p99"] = round(1000 * latencies[min(int(len(latencies) * 0.99), len(latencies) - 1)], 2)
        return rate
