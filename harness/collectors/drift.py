"""Drift: the sign of life of the service's drift check. Its samples come in with the metrics."""

from __future__ import annotations

from harness.collectors.asking import Prometheus
from harness.collectors.base import Run
from harness.collectors.ticker import sentence
from harness.evidence import Window
from harness.journal import Journal
from harness.stack import LiveStack

_SLACK_S = 2.0


class Drift:
    """Asks Prometheus when the drift check last ran. Without `signals.drift` it is never seen."""

    name = "drift"

    def start(self, live: LiveStack, run: Run, journal: Journal) -> None:
        """Open the session; nothing runs meanwhile."""
        self._prometheus = Prometheus(live)

    def stop(self) -> None:
        """Do nothing: nothing runs."""

    def seen_canary(self, live: LiveStack, run: Run) -> tuple[bool, str]:
        """Tell whether a check was made within the last two intervals and a little."""
        drift = live.stack.signals.drift
        return self._checked_since(live, run.clock.now() - 2 * drift.checked.every / live.speed - _SLACK_S if drift else 0)

    def caught_up(self, live: LiveStack, run: Run, at: float) -> tuple[bool, str]:
        """Tell whether a check was made after `at`, or at most one interval before it: checks have no backlog."""
        drift = live.stack.signals.drift
        return self._checked_since(live, at - drift.checked.every / live.speed if drift else 0)

    def collect(self, live: LiveStack, window: Window, run: Run, journal: Journal) -> int:
        """Write nothing: the samples are in `metrics/`."""
        self._prometheus.close()
        return 0

    def _checked_since(self, live: LiveStack, since: float) -> tuple[bool, str]:
        drift = live.stack.signals.drift
        if drift is None:
            return False, "signals.drift is not declared"
        try:
            stamps = [value for _, value in self._prometheus.values(drift.checked.metric)]
        except Exception as error:  # noqa: BLE001 - the protocol: in words, never raised
            return False, sentence(error)
        if not stamps:
            return False, f"{drift.checked.metric} has no sample"
        oldest = min(stamps)
        if oldest == 0:
            return False, f"{drift.checked.metric} is 0: no check yet"
        return oldest >= since, f"the last check was at {oldest:.1f}, awaited one since {since:.1f}"
