"""Collectors: one per stream. Each follows its stream while the drill runs and writes what is left before the end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tocsin.harness.collectors.alerts import Alerts
from tocsin.harness.collectors.drift import Drift
from tocsin.harness.collectors.logs import Logs
from tocsin.harness.collectors.metrics import Metrics
from tocsin.harness.collectors.notifications import Notifications

ALL = (Metrics, Alerts, Notifications, Logs, Drift)
"""Every collector, in the order in which `ready` asks for their canaries."""


def chosen(roles: Collection[str]) -> tuple[Any, ...]:
    """Return the collectors that a stack with these roles has something for."""
    return tuple(one for one in ALL if all(role in roles for role in one.asks))
