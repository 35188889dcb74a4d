"""Drift: the sign of life of the service's drift check. Its samples come in with the metrics."""

from __future__ import annotations

from tocsin.harness.collectors.collector import CollectedRun, Collector, in_words
from tocsin.harness.collectors.server_queries import Prometheus
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.evidence import SettledWindow

_SLACK_S = 2.0


class DriftCollector(Collector):
    """Asks Prometheus when the drift check last ran. Without `signals.drift` it is never seen."""

    name = "drift"
    asks: tuple[str, ...] = ("prometheus",)

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None:
        """Open the session; nothing runs meanwhile."""
        self._prometheus = Prometheus(live)

    @in_words
    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]:
        """Tell whether a check was made within the last two intervals and a little."""
        return self._checked(live, run.clock.now(), intervals=2, slack_s=_SLACK_S)

    @in_words
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]:
        """Tell whether a check was made after `at`, or at most one interval before it: checks have no backlog."""
        return self._checked(live, at, intervals=1, slack_s=0.0)

    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int:
        """Write nothing: the samples are in `metrics/`."""
        self._prometheus.close()
        return 0

    def _checked(self, live: LiveStack, by: float, *, intervals: int, slack_s: float) -> tuple[bool, str]:
        drift = live.stack.signals.drift
        if drift is None:
            return True, "signals.drift is not declared; checks on it are unknown"
        stamps = [value for _, value in self._prometheus.values(drift.checked.metric)]
        if not stamps:
            return False, f"{drift.checked.metric} has no sample"
        oldest, allowed_s = min(stamps), intervals * drift.checked.every / live.speed + slack_s
        if oldest == 0:
            return False, f"{drift.checked.metric} is 0: no check yet"
        return by - oldest <= allowed_s, f"the last check was {by - oldest:.1f} s before, {allowed_s:.1f} s allowed"
