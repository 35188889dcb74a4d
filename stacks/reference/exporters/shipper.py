"""Exports what rsyslog's impstats writes: `python -m exporters.shipper --port 9481 --stats stats.json`.

Every line of that file is a date, a colon and a JSON object; the newest object of each name counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporters.serve import serve

TAIL_BYTES = 64 * 1024
QUEUES = ("ship", "answer")
_OUTPUT, _ACTION = "omelasticsearch", "es"
_COUNTERS = (
    ("submitted", "Log lines read and taken into the first queue.", "ship", ("enqueued",)),
    ("processed", "Documents that Elasticsearch has, new or already there.", _OUTPUT, ("response.success", "response.duplicate")),
    ("failed", "Documents that Elasticsearch refused for good.", _OUTPUT, ("response.badargument",)),
    ("retried", "Documents that Elasticsearch was too busy for, sent again.", _OUTPUT, ("response.bulkrejection",)),
    ("request_failures", "Requests to Elasticsearch that failed as a whole.", _OUTPUT, ("failed.http", "failed.es")),
    ("suspensions", "Times that the way to Elasticsearch was suspended.", _ACTION, ("suspended",)),
)  # fmt: skip


def read_stats(path: Path) -> dict[str, dict[str, Any]]:
    """Return the newest object of each name in the last TAIL_BYTES of the file; empty when there is nothing to read.

    A line cut at the start of that tail, or still being written, is skipped.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL_BYTES, 0))
            tail = file.read(TAIL_BYTES)
    except OSError:
        return {}
    newest: dict[str, dict[str, Any]] = {}
    for line in tail.split(b"\n")[:-1]:
        try:
            stats = json.loads(line[line.index(b"{") :])
            newest[stats["name"]] = stats
        except (ValueError, KeyError, TypeError):
            continue
    return newest


class ShipperCollector(Collector):
    """Reads the statistics at every scrape. Without them it exports no counters, rather than zeros."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, all with names that start with `shipper_`."""
        stats = read_stats(self.path)
        for name, text, source, fields in _COUNTERS:
            if source in stats:
                value = sum(float(stats[source].get(field, 0)) for field in fields)
                yield CounterMetricFamily(f"shipper_{name}", text, value=value)
        yield _queues(stats)
        if _ACTION in stats:
            yield GaugeMetricFamily("shipper_suspended", "1 while the way to Elasticsearch is suspended.", _suspended(stats[_ACTION]))
        yield from _age(self.path)


def _queues(stats: Mapping[str, Mapping[str, Any]]) -> Metric:
    sizes = GaugeMetricFamily("shipper_queue_size", "Lines or documents waiting in a queue.", labels=["queue"])
    for queue in QUEUES:
        if queue in stats:
            sizes.add_metric([queue], float(stats[queue].get("size", 0)))
    return sizes


def _suspended(action: Mapping[str, Any]) -> float:
    return float(action.get("suspended", 0) > action.get("resumed", 0))


def _age(path: Path) -> Iterator[Metric]:
    try:
        written_s = path.stat().st_mtime
    except OSError:
        return
    yield GaugeMetricFamily("shipper_stats_timestamp_seconds", "When the shipper last wrote its statistics.", written_s)
    yield GaugeMetricFamily("shipper_stats_age_seconds", "How long ago that was.", max(time.time() - written_s, 0.0))


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m exporters.shipper", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9481)
    parser.add_argument("--stats", type=Path, required=True, help="the file that impstats writes, in JSON")
    options = parser.parse_args(argv)
    registry = CollectorRegistry()
    registry.register(ShipperCollector(options.stats))
    return serve(registry, options.port)


if __name__ == "__main__":
    raise SystemExit(main())
