"""Exports what rsyslog's impstats writes: `python -m exporters.shipper --port 9481 --stats stats.json`.

With `--logstash URL` in place of `--stats` it asks Logstash (logstash.py).

With `--folder NAME=PATH` it also exports how full the file systems of the stack's folders are.

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

from exporters import drills
from exporters.logstash import LogstashCollector
from exporters.serve import serve

TAIL_BYTES = 64 * 1024
QUEUES = ("ship", "answer")
_OUTPUT = "omelasticsearch"
_OWN_COUNTERS = "lines"
_RETRY_SNAPSHOTS = 6  # the configuration tries again at least every 5 s and writes statistics every second
STATS_INTERVAL_S = 1.0
_COUNTERS = (
    ("submitted", "Log lines read and taken into the first queue.", "ship", ("enqueued",)),
    ("processed", "Documents that Elasticsearch has.", _OUTPUT, ("response.success", "response.duplicate")),
    ("failed", "Documents that Elasticsearch refused for good.", _OUTPUT, ("response.badargument",)),
    ("retried", "Documents that Elasticsearch was too busy for, sent again.", _OUTPUT, ("response.bulkrejection",)),
    ("request_failures", "Requests to Elasticsearch that failed as a whole.", _OUTPUT, ("failed.http", "failed.es")),
    ("connection_failures", "Times that Elasticsearch did not answer at all.", _OUTPUT, ("failed.checkConn",)),
)
Stats = Mapping[str, Any]
"""One object that impstats writes: numbers and texts by name, and `values` in one of them."""
Snapshots = Mapping[str, Sequence[Stats]]
"""The objects of each name, oldest first."""


def read_stats(path: Path) -> Snapshots:
    """Return the objects in the last TAIL_BYTES of the file by name; empty when there is nothing to read.

    A line cut at the start of that tail, or still being written, is skipped.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL_BYTES, 0))
            tail = file.read(TAIL_BYTES)
    except OSError:
        return {}
    snapshots: dict[str, list[Stats]] = {}
    for line in tail.split(b"\n")[:-1]:
        try:
            stats = json.loads(line[line.index(b"{") :])
            snapshots.setdefault(stats["name"], []).append(stats)
        except (ValueError, KeyError, TypeError):
            continue
    return snapshots


class ShipperCollector(Collector):
    """Reads the statistics at every scrape. Without them it exports no counters, rather than zeros."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, all with names that start with `shipper_`."""
        snapshots = read_stats(self.path)
        for name, text, source, fields in _COUNTERS:
            if source in snapshots:
                yield CounterMetricFamily(f"shipper_{name}", text, value=_sum(snapshots[source][-1], fields))
        sizes = GaugeMetricFamily("shipper_queue_size", "Lines or documents waiting in a queue.", labels=["queue"])
        for queue in QUEUES:
            if queue in snapshots:
                sizes.add_metric([queue], _sum(snapshots[queue][-1], ("size",)))
        yield sizes
        for counted in snapshots.get(_OWN_COUNTERS, ())[-1:]:
            unparsed = float(counted.get("values", {}).get("unparsed", 0))
            yield CounterMetricFamily("shipper_unparsed", "Lines that are no valid event, put aside.", value=unparsed)
        if _OUTPUT in snapshots:
            text = "1 while Elasticsearch does not answer and lines wait."
            yield GaugeMetricFamily("shipper_suspended", text, float(is_suspended(snapshots[_OUTPUT])))
        yield from _age(self.path)
        up_to = delivered_up_to(snapshots, self.path)
        if up_to is not None:
            text = "Everything read before this time is in Elasticsearch; no earlier than the statistics kept."
            yield GaugeMetricFamily("shipper_delivered_up_to_timestamp_seconds", text, up_to)


class FolderCollector(Collector):
    """Exports size and free room of the file system under each folder, by name. A folder not there yet is left out."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)

    def collect(self) -> Iterator[Metric]:
        """Yield three gauges, all with names that start with `stack_filesystem_`."""
        size = GaugeMetricFamily("stack_filesystem_size_bytes", "Size of the file system.", labels=["folder"])
        free = GaugeMetricFamily("stack_filesystem_avail_bytes", "Room that an ordinary user has.", labels=["folder"])
        own = GaugeMetricFamily(
            "stack_filesystem_own_mount",
            "1 if the folder is a mount of its own, 0 if it shares the machine's disk.",
            labels=["folder"],
        )
        for name, path in self._folders.items():
            try:
                room = os.statvfs(path)
            except OSError:
                continue
            size.add_metric([name], room.f_blocks * room.f_frsize)
            free.add_metric([name], room.f_bavail * room.f_frsize)
            own.add_metric([name], float(os.path.ismount(path)))
        yield from (size, free, own)


def is_suspended(outputs: Sequence[Stats]) -> bool:
    """Whether connections failed lately and no document got through since the last statistics but one."""
    recent = outputs[-_RETRY_SNAPSHOTS:]
    failures = [_sum(stats, ("failed.checkConn",)) for stats in recent]
    answered = [_sum(stats, ("response.success", "response.duplicate")) for stats in recent]
    return failures[-1] > failures[0] and answered[-1] == answered[-2]


def delivered_up_to(snapshots: Snapshots, path: Path) -> float | None:
    """Return the epoch seconds until which all lines read are in Elasticsearch, None without statistics.

    That is when as many lines had been read as documents are there now. Statistics are a second apart, and the newest
    was written when the file was. A restart of the shipper resets both counts.
    """
    read, answers = snapshots.get("ship", ()), snapshots.get(_OUTPUT, ())
    if not read or not answers:
        return None
    try:
        written_s = path.stat().st_mtime
    except OSError:
        return None
    there = _sum(answers[-1], ("response.success", "response.duplicate"))
    behind = sum(_sum(stats, ("enqueued",)) > there for stats in read)
    return written_s - behind * STATS_INTERVAL_S


def _sum(stats: Stats, fields: Sequence[str]) -> float:
    return sum(float(stats.get(field, 0)) for field in fields)


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
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--stats", type=Path, help="the file that impstats writes, in JSON")
    source.add_argument("--logstash", metavar="URL", help="where Logstash answers, in place of that file")
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=PATH", help="export how full it is")
    options = parser.parse_args(argv)
    registry = CollectorRegistry()
    if options.logstash:
        registry.register(LogstashCollector(options.logstash).start())
    else:
        registry.register(ShipperCollector(options.stats))
    pairs = (text.partition("=") for text in options.folder)
    folders = {name: Path(path) for name, _, path in pairs}
    registry.register(FolderCollector(folders))
    return serve(registry, options.port, drills.Switches() if drills.wanted() else None)


if __name__ == "__main__":
    raise SystemExit(main())
