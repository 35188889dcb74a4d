"""Alert states: every change of an alert that Alertmanager held, from `alerts.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tocsin.harness.core.journal import read_json_lines


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """An alert as Alertmanager held it when polled `at`; times are epoch seconds.

    `gone`: it is no longer held. `received_at` is when it was first seen there, `updated_at` when Alertmanager had
    received it by then, as it says; None if it does not say.
    """

    at: float
    fingerprint: str
    labels: Mapping[str, str]
    gone: bool
    inhibited_by: tuple[str, ...]
    """Fingerprints of the alerts that inhibit it."""
    silenced_by: tuple[str, ...]
    received_at: float
    updated_at: float | None

    def has(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it carries these labels, `alertname` among them; others are free."""
        return labels.items() <= self.labels.items()


def read_alert_states(path: Path) -> tuple[AlertState, ...]:
    """Read the states in the order seen; a torn line is left out, no file holds none."""
    return tuple(
        AlertState(
            at=float(row["at"]),
            fingerprint=str(row.get("fingerprint", "")),
            labels=row.get("labels", {}),
            gone=row.get("state") == "gone",
            inhibited_by=tuple(row.get("inhibitedBy") or ()),
            silenced_by=tuple(row.get("silencedBy") or ()),
            received_at=float(row.get("receivedAt", row["at"])),
            updated_at=_epoch_s(row.get("updatedAt")),
        )
        for row in read_json_lines(path)
    )


def _epoch_s(timestamp: object) -> float | None:
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp()
    except ValueError:
        return None
