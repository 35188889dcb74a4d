"""Exports Logstash's node statistics under the names that the rules know from rsyslog: `shipper_*`.

Source of the fields: `GET /_node/stats/pipelines` of Logstash 8, and the counters of its Elasticsearch output. A
document that is there already (409) counts there as a failure that is not tried again; here it is processed.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Statistics = Mapping[str, Any]
"""A part of what Logstash answers."""
PIPELINE, INPUT, OUTPUT, UNPARSED = "requests", "request-log", "elasticsearch", "unparsed"
"""Ids in logstash/config/pipelines.yml and logstash/pipeline/requests.conf."""
ASK_WITHIN_S = 2.0
ASK_EVERY_S = 1.0
KEEP = 600
"""How many answers are kept, to find the time until which all lines that were read have arrived."""
_COUNTERS = (
    ("submitted", "Log lines read and taken into the queue."),
    ("processed", "Documents that Elasticsearch has."),
    ("failed", "Documents that Elasticsearch refused for good."),
    ("retried", "Documents that Elasticsearch was too busy for, sent again."),
    ("request_failures", "Requests to Elasticsearch that failed as a whole."),
    ("unparsed", "Lines that are no valid event, put aside."),
)


def counts(pipeline: Statistics) -> dict[str, float]:
    """Return the counters by name, and `waiting`, of one pipeline's statistics; 0 for what is missing."""
    output = _plugin(pipeline, "outputs", OUTPUT)
    documents, bulks = output.get("documents", {}), output.get("bulk_requests", {})
    counted = {
        "submitted": _plugin(pipeline, "inputs", INPUT).get("events", {}).get("out", 0),
        "processed": documents.get("successes", 0) + documents.get("non_retryable_failures", 0),
        "failed": documents.get("dlq_routed", 0),
        "retried": documents.get("retryable_failures", 0),
        "request_failures": bulks.get("failures", 0),
        "unparsed": _plugin(pipeline, "filters", UNPARSED).get("events", {}).get("in", 0),
        "waiting": pipeline.get("queue", {}).get("events_count", 0),
    }
    return {name: float(value) for name, value in counted.items()}


class LogstashCollector(Collector):
    """Exports Logstash's last answer. Before the first one it exports nothing, rather than zeros.

    `keep_asking` runs in a thread of its own: a name that cannot be resolved takes seconds, and a scrape must not.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._read: deque[tuple[float, float]] = deque(maxlen=KEEP)
        self._last: tuple[float, dict[str, float], float] | None = None

    def start(self) -> LogstashCollector:
        """Begin to ask, every ASK_EVERY_S seconds."""
        threading.Thread(target=self._keep_asking, daemon=True).start()
        return self

    def _keep_asking(self) -> None:
        while True:
            self.ask()
            time.sleep(ASK_EVERY_S)

    def ask(self) -> None:
        """Ask once and remember the answer; no answer changes nothing."""
        try:
            with urllib.request.urlopen(f"{self.url}/_node/stats/pipelines", timeout=ASK_WITHIN_S) as answer:
                counters = counts(json.load(answer)["pipelines"][PIPELINE])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return
        now = time.time()
        self._last = (now, counters, self._up_to(counters, now))

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, all with names that start with `shipper_`."""
        if self._last is None:
            return
        answered_s, counters, up_to = self._last
        for name, text in _COUNTERS:
            yield CounterMetricFamily(f"shipper_{name}", text, value=counters[name])
        sizes = GaugeMetricFamily("shipper_queue_size", "Lines or documents waiting in a queue.", labels=["queue"])
        sizes.add_metric(["ship"], counters["waiting"])
        yield sizes
        text = "Everything read before this time is in Elasticsearch, or refused for good."
        yield GaugeMetricFamily("shipper_delivered_up_to_timestamp_seconds", text, up_to)
        text = "When the shipper last told its statistics."
        yield GaugeMetricFamily("shipper_stats_timestamp_seconds", text, answered_s)
        yield GaugeMetricFamily("shipper_stats_age_seconds", "How long ago that was.", time.time() - answered_s)

    def _up_to(self, counters: Mapping[str, float], now: float) -> float:
        if self._read and counters["submitted"] < self._read[-1][1]:  # Logstash restarted, and counts from 0
            self._read.clear()
        self._read.append((now, counters["submitted"]))
        done = counters["processed"] + counters["failed"]
        arrived = [at for at, read in self._read if read <= done]
        return arrived[-1] if arrived else self._read[0][0]


def _plugin(pipeline: Statistics, kind: str, name: str) -> Statistics:
    """Return the statistics of a plugin, empty where there is none of this id."""
    for plugin in pipeline.get("plugins", {}).get(kind, ()):
        if plugin.get("id") == name:
            return dict(plugin)
    return {}
