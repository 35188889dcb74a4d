"""Collectors: one per stream. Each follows its stream while the drill runs and writes what is left before the end."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tocsin.harness.collectors.alerts import AlertsCollector
from tocsin.harness.collectors.collector import Collector
from tocsin.harness.collectors.drift_heartbeat import DriftCollector
from tocsin.harness.collectors.logs import LogsCollector
from tocsin.harness.collectors.metrics import MetricsCollector
from tocsin.harness.collectors.notifications import NotificationsCollector

ALL = (MetricsCollector, AlertsCollector, NotificationsCollector, LogsCollector, DriftCollector)
"""Every collector, in the order in which `ready` asks for their canaries."""


def collectors_for(roles: Collection[str]) -> tuple[Callable[[], Collector], ...]:
    """Return the collectors that a stack with these roles has something for."""
    return tuple(collector for collector in ALL if set(collector.asks) <= set(roles))
