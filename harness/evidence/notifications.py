"""Notifications: every message that Alertmanager sent to the pager, answered well or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.harness.core.journal import read_json_lines


@dataclass(frozen=True, kw_only=True)
class NotifiedAlert:
    """One alert inside a notification. `starts_at` is RFC 3339, as sent; empty where not sent."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    fingerprint: str

    @property
    def alert(self) -> str:
        """The alert's name."""
        return self.labels.get("alertname", "")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message that reached the pager `at` (epoch s) and was `answered` with this HTTP status (0: none).

    `group_key` is Alertmanager's name of the group (empty in runs that did not keep it).
    """

    at: float
    receiver: str
    answered: int
    status: str
    group_labels: Mapping[str, str]
    alerts: tuple[NotifiedAlert, ...]
    group_key: str = ""

    @property
    def group(self) -> tuple[str, str]:
        """The receiver and its group: messages of one group follow each other, those of two are two pages."""
        return self.receiver, self.group_key or json.dumps(dict(self.group_labels), sort_keys=True)

    @property
    def delivered(self) -> bool:
        """Whether it was answered 2xx; anything else was an attempt."""
        return 200 <= self.answered < 300

    def names(self, alert: str, labels: Mapping[str, str] | None = None, status: str | None = None) -> bool:
        """Tell whether it holds this alert with these labels (others are free), in this status if one is given."""
        wanted = (labels or {}).items()
        same_name = (one for one in self.alerts if one.alert == alert and status in (None, one.status))
        return any(wanted <= one.labels.items() for one in same_name)


def read_notifications(path: Path) -> tuple[Notification, ...]:
    """Read the pager's record by time of receipt; a torn line is left out, no file is no notification."""
    return tuple(sorted(map(_notification, read_json_lines(path)), key=lambda notification: notification.at))


def _notification(row: Mapping[str, Any]) -> Notification:
    return Notification(
        at=float(row["at"]),
        receiver=str(row.get("receiver", "")),
        answered=int(row.get("answered") or 0),
        status=str(row.get("status", "")),
        group_labels=row.get("group_labels") or {},
        alerts=tuple(map(_notified_alert, row.get("alerts") or ())),
        group_key=str(row.get("group_key") or ""),
    )


def _notified_alert(row: Mapping[str, Any]) -> NotifiedAlert:
    return NotifiedAlert(
        status=str(row.get("status", "")),
        labels=row.get("labels") or {},
        annotations=row.get("annotations") or {},
        starts_at=str(row.get("startsAt", "")),
        fingerprint=str(row.get("fingerprint", "")),
    )
