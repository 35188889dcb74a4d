"""Collectors: one per stream. Each follows its stream while the drill runs and writes what is left before the end."""

from __future__ import annotations

from harness.collectors.alerts import Alerts
from harness.collectors.drift import Drift
from harness.collectors.logs import Logs
from harness.collectors.metrics import Metrics
from harness.collectors.notifications import Notifications

ALL = (Metrics, Alerts, Notifications, Logs, Drift)
"""Every collector, in the order in which `ready` asks for their canaries."""
