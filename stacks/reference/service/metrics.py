"""Every metric of the service, with all label values present from the start.

A counter that appears only with its first error hides that error from `rate`, so each child is made here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from service.accuracy import Accuracy
from service.drift import FeatureState
from service.model import FEATURES, MODEL_NAME

SUCCESS, ERROR, REJECTED = "success", "error", "rejected"
UNKNOWN_MODEL = "unknown"
SLO_S = 0.1
BUCKETS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, SLO_S,
    0.125, 0.16, 0.2, 0.25, 0.32, 0.4, 0.5, 0.64, 0.8, 1.0, 1.6, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip


class Metrics:
    """The service's metrics in a registry of their own. Times are seconds."""

    def __init__(self, accuracy: Accuracy) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nothing here reads
        self.registry = CollectorRegistry()
        self.registry.register(_AccuracyCollector(accuracy))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._make_request_metrics()
        self._make_drift_metrics()
        Gauge("ml_slo_seconds", "The latency that a prediction should stay below.", registry=self.registry).set(SLO_S)

    def show_service(self, device: str, version: Callable[[], str], wall_s: Callable[[], float]) -> None:
        """Export which version of the model runs where, and when the page was made."""
        self.registry.register(_ServiceCollector(device, version, wall_s))

    def _make_request_metrics(self) -> None:
        self._predictions = Counter(
            "ml_predictions", "Inference requests by outcome; model_name is `unknown` for a name nobody serves.",
            ["model_name", "status"], registry=self.registry,
        )  # fmt: skip
        known = [(MODEL_NAME, SUCCESS), (MODEL_NAME, ERROR), (MODEL_NAME, REJECTED), (UNKNOWN_MODEL, REJECTED)]
        self.outcomes = {key: self._predictions.labels(*key) for key in known}
        latency = Histogram(
            "ml_prediction_latency_seconds", "From the whole body read to the answer built, for every outcome.",
            ["model_name"], buckets=BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self.latency = {name: latency.labels(name) for name in (MODEL_NAME, UNKNOWN_MODEL)}
        self.in_flight = Gauge("ml_requests_in_flight", "Inference requests being worked on.", registry=self.registry)
        self.nonfinite_outputs = Counter(
            "ml_nonfinite_outputs", "Requests for which the model gave NaN or infinity; they are errors.",
            ["model_name"], registry=self.registry,
        ).labels(MODEL_NAME)  # fmt: skip
        self.loop_blocked = Counter(
            "ml_event_loop_blocked_seconds", "How long the event loop itself made all wait, 50 ms or more at a time.",
            registry=self.registry,
        )  # fmt: skip
        self.log_lines_dropped = Counter(
            "ml_log_lines_dropped", "Request log lines that could not be written.", registry=self.registry
        )

    def _make_drift_metrics(self) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, ["feature"], registry=self.registry)

        self._score = gauge(
            "ml_feature_drift_score",
            "Two-sample KS distance to the reference, 0..1; absent below the least number of rows.",
        )
        self._detected = gauge("drift_detected", "1 while the drift score is above its critical value, else 0.")
        self._missing = gauge("ml_feature_nan_ratio", "Share of received values that were null, NaN or infinite.")
        failures = Counter(
            "ml_drift_check_failures", "Checks of a feature that raised.", ["feature"], registry=self.registry
        )
        self._failures = {name: failures.labels(name) for name in FEATURES}
        for feature in FEATURES:
            self._detected.labels(feature).set(0)
            self._missing.labels(feature).set(0)
        self._checked = Gauge(
            "ml_drift_last_check_timestamp_seconds",
            "When drift was last checked, also with too few rows.",
            registry=self.registry,
        )
        self._rows = Gauge("ml_drift_sample_rows", "Rows that the last drift check compared.", registry=self.registry)

    def show_drift(self, states: list[FeatureState], rows: int, now_s: float) -> None:
        """Export one drift check, made at `now_s` epoch seconds."""
        for state in states:
            if state.score is None:
                self._score.remove_by_labels({"feature": state.feature})
            else:
                self._score.labels(state.feature).set(state.score)
            self._detected.labels(state.feature).set(state.detected)
            self._missing.labels(state.feature).set(state.nan_ratio)
            if state.failed:
                self._failures[state.feature].inc()
        self._rows.set(rows)
        self._checked.set(now_s)

    def text(self) -> bytes:
        """Return the exposition in Prometheus's text format."""
        return generate_latest(self.registry)


class _AccuracyCollector(Collector):
    """Asks at every scrape, so that old labels leave the gauge on time; without labels there is no accuracy to show."""

    def __init__(self, accuracy: Accuracy) -> None:
        self._source = accuracy

    def collect(self) -> Iterator[Metric]:
        now_s = time.monotonic()
        count = self._source.labels(now_s)
        accuracy = GaugeMetricFamily(
            "ml_model_accuracy",
            "Share of recent labels predicted; absent without labels.",
            labels=["model_name"],
        )
        if count:
            accuracy.add_metric([MODEL_NAME], self._source.value(now_s))
        labels = GaugeMetricFamily("ml_model_accuracy_labels", "Labels behind the accuracy.", labels=["model_name"])
        labels.add_metric([MODEL_NAME], count)
        yield accuracy
        yield labels


class _ServiceCollector(Collector):
    """Asks at every scrape which model is served. The time on the page shows whether the page is an old one."""

    def __init__(self, device: str, version: Callable[[], str], wall_s: Callable[[], float]) -> None:
        self._device, self._version, self._wall_s = device, version, wall_s

    def collect(self) -> Iterator[Metric]:
        labels = ["model_name", "version", "device"]
        build = GaugeMetricFamily("ml_build_info", "Which model runs, always 1.", labels=labels)
        build.add_metric([MODEL_NAME, self._version(), self._device], 1)
        yield build
        text = "When this page was made, by the service's clock."
        yield GaugeMetricFamily("ml_metrics_timestamp_seconds", text, value=self._wall_s())
