"""The names of what Tocsin reads from a stack: metrics, labels, log fields, the Watchdog (`signals:` of stack.yaml)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.core.base_model import Frozen, Seconds


class LabelledMetric(Frozen):
    """A metric and the label that splits it."""

    metric: str
    label: str


class RequestsSignal(LabelledMetric):
    """The request counter and its three label values: answered, failed (5xx) and refused (4xx)."""

    answered: str
    failed: str
    refused: str
    failed_share: float = Field(default=0.0, ge=0, lt=1)
    """The share of requests that a healthy service fails by chance: what noise is reckoned from."""


class LatencySignal(Frozen):
    """The histogram, without `_bucket`, of how long the service took in seconds; one value per counted request."""

    metric: str


class CheckedSignal(Frozen):
    """A gauge that holds the epoch seconds of the last drift check, and how often one is due."""

    metric: str
    every: Seconds


class DriftSignal(Frozen):
    """The drift gauges: effect size and 0/1 decision per feature, and the time of the last check."""

    score: LabelledMetric
    detected: LabelledMetric
    checked: CheckedSignal
    window: Seconds | None = None
    """How far back a check looks."""
    rows: int | None = Field(default=None, gt=0)
    """The fewest requests in a window that a check judges."""


class LogsSignal(Frozen):
    """Where log lines come out: indices, the fields that hold id, time and status, and the files at the source."""

    role: str
    index: str
    unparsed: str
    id: str
    time: str
    status: str
    files: str


class WatchdogSignal(Frozen):
    """The always-firing alert, the receiver it reaches and how often."""

    alert: str
    receiver: str
    every: Seconds


class TimeScales(Frozen):
    """Metrics whose names do not tell what division of time does to them.

    `ages` are gauges in seconds of the drill's own time (a lag), `moments` gauges that hold a time, and `events`
    counters of what the drill does rather than of its traffic (restarts).
    """

    ages: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


class Signals(Frozen):
    """The names of everything Tocsin reads. A signal left out is absent; its checks are unknown."""

    jobs: Mapping[str, str] = {}
    requests: RequestsSignal | None = None
    latency: LatencySignal | None = None
    drift: DriftSignal | None = None
    logs: LogsSignal | None = None
    accuracy: LabelledMetric | None = None
    watchdog: WatchdogSignal | None = None

    def has(self, stream: str) -> bool:
        """Tell whether a stream may be there: logs and drift are only where they are named, others need no name."""
        return stream not in ("logs", "drift") or getattr(self, stream) is not None
