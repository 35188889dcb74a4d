"""Alerts: polls Alertmanager and records every change of the alerts it holds."""

from __future__ import annotations

import json

from tocsin.harness.collectors.collector import CollectedRun, PeriodicThread, PolledCollector, in_words
from tocsin.harness.collectors.server_queries import Alertmanager, JsonObject, Prometheus
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.evidence import SettledWindow


class AlertsCollector(PolledCollector):
    """Polls Alertmanager each `every_s` wall seconds and appends transitions to `alerts.jsonl`, flushed one by one.

    A row: `at` (epoch seconds), `fingerprint`, `labels`, `state` (active, suppressed, unprocessed or gone),
    `inhibitedBy`, `silencedBy`, `startsAt`, `receivedAt` (epoch seconds at which it was first seen), `updatedAt` (when
    Alertmanager had received it, RFC 3339).
    """

    name = "alerts"
    asks: tuple[str, ...] = ("prometheus", "alertmanager")

    def __init__(self, every_s: float = 0.5) -> None:
        self.every_s = every_s
        self.rows = 0
        self.polled_at = 0.0
        """When Alertmanager last answered, epoch seconds."""
        self._held: dict[str, JsonObject] = {}

    @property
    def firing(self) -> tuple[str, ...]:
        """The names of the alerts that Alertmanager holds now, each once, sorted."""
        return tuple(sorted({row["labels"].get("alertname", "") for row in list(self._held.values())}))

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None:
        """Begin to follow."""
        self._clock = run.clock
        self._alertmanager, self._prometheus = Alertmanager(live), Prometheus(live)
        self._file = (run.folder / "alerts.jsonl").open("a", encoding="utf-8")
        self._ticker = PeriodicThread(self.name, self.every_s, self._poll, journal)
        self._ticker.start()

    @in_words
    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]:
        """Tell whether the Watchdog is active at Alertmanager."""
        watchdog = live.stack.signals.watchdog
        if watchdog is None:
            return True, "signals.watchdog is not declared; checks on it are unknown"
        if not self._ticker.once():
            return False, f"Alertmanager at {self._alertmanager.url} does not answer"
        active = any(
            row["state"] == "active" and row["labels"].get("alertname") == watchdog.alert
            for row in list(self._held.values())
        )
        held = ", ".join(self.firing) or "nothing"
        return active, f"Alertmanager holds {held}; awaited {watchdog.alert}, active"

    @in_words
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]:
        """Tell whether every rule group was evaluated after `at`, and Alertmanager asked since."""
        evaluated = self._prometheus.last_evaluations()
        if not evaluated:
            return False, "Prometheus has no rule group"
        group, last = min(evaluated.items(), key=lambda item: item[1])
        if last <= at:
            return False, f"rule group {group} was last evaluated {at - last:.1f} s before"
        state = f"every rule group was evaluated since; Alertmanager asked at {self.polled_at:.1f}"
        return self.polled_at > last, state

    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int:
        """Ask once more and close the file; return how many transitions were written."""
        self._ticker.once()
        self._file.close()
        self._alertmanager.close()
        self._prometheus.close()
        return self.rows

    def _poll(self) -> None:
        alerts = {alert["fingerprint"]: alert for alert in self._alertmanager.alerts()}
        now = self._clock.now()
        for fingerprint, alert in alerts.items():
            before = self._held.get(fingerprint)
            row = _row(alert, before or {"receivedAt": now, "updatedAt": alert.get("updatedAt", "")})
            if row != before:
                self._write(now, row)
                self._held[fingerprint] = row
        for fingerprint in self._held.keys() - alerts.keys():
            row = {**self._held.pop(fingerprint), "state": "gone", "inhibitedBy": [], "silencedBy": []}
            self._write(now, row)
        self.polled_at = now

    def _write(self, now: float, row: JsonObject) -> None:
        self._file.write(json.dumps({"at": now, **row}) + "\n")
        self._file.flush()
        self.rows += 1


def _row(alert: JsonObject, first: JsonObject) -> JsonObject:
    status = alert.get("status", {})
    return {
        "fingerprint": alert["fingerprint"],
        "labels": alert.get("labels", {}),
        "state": status.get("state", ""),
        "inhibitedBy": sorted(status.get("inhibitedBy", ())),
        "silencedBy": sorted(status.get("silencedBy", ())),
        "startsAt": alert.get("startsAt", ""),
        "receivedAt": first["receivedAt"],
        "updatedAt": first["updatedAt"],
    }
