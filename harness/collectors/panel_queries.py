"""Asks one query of a panel over play: a range query of Prometheus, a search with aggregations of Elasticsearch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import ApiError

from tocsin.harness.collectors.collector import sentence
from tocsin.harness.collectors.elasticsearch_documents import connect
from tocsin.harness.collectors.server_queries import Prometheus, Refused
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.monitoring.dashboards import Query
from tocsin.harness.monitoring.monitoring_files import read_scales
from tocsin.harness.monitoring.promql.compress import NotCompressible, compress_expr
from tocsin.harness.monitoring.promql.rewrites import analyse

_COUNTED = ("count", "logs", "raw_data", "raw_document")
_METRICS = ("avg", "min", "max", "sum", "cardinality")
_MOST_TERMS = 20
_LEGEND = re.compile(r"\{\{\s*(?:term\s+)?([\w.@]+)\s*\}\}")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The points of time of every series: `start` (epoch seconds), `step_s` wall seconds apart.

    `scrape_s` is the scrape interval, production seconds.
    """

    start: float
    step_s: float
    count: int
    speed: float
    scrape_s: float

    @property
    def end(self) -> float:
        """The last point of time."""
        return self.start + self.step_s * (self.count - 1)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series: its name in the legend, its labels, and a value (None: nothing there) per point of time."""

    name: str
    labels: Mapping[str, str]
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What became of a query. Values times `factor` are those of production.

    `failed`: `refused` by the server, `empty` because a variable has no value, `unanswered`, or `unasked` because it
    cannot be; `says` tells why.
    """

    sent: str = ""
    factor: float = 1.0
    failed: str = ""
    says: str = ""
    series: tuple[Line, ...] = field(default_factory=tuple)


Server = Callable[[Query, str], Asked]


def ask_prometheus(live: LiveStack, grid: Grid) -> Server:
    """Return what asks the stack's Prometheus, with every duration of a query divided by the speed."""
    if "prometheus" not in live.stack.roles:
        return lambda query, text: Asked(failed="unasked", says="The stack has no role prometheus.")
    prometheus, scales = Prometheus(live), read_scales(live.stack)

    def ask(query: Query, text: str) -> Asked:
        sent, factor = text, 1.0
        try:
            if grid.speed != 1:
                sent = compress_expr(text, grid.speed, scales)
                scale = analyse(text, scales).scale
                factor = grid.speed**-scale.power if scale.known and scale.power else 1.0
            found = prometheus.over(sent, grid.start, grid.end, grid.step_s)
        except NotCompressible as error:
            return _refused(prometheus, text, grid) or Asked(
                failed="unasked", says=f"At speed {grid.speed:g} it cannot be asked: {error.message}"
            )
        except Refused as error:
            return Asked(sent=sent, failed="refused", says=str(error))
        except Exception as error:
            return Asked(sent=sent, failed="unanswered", says=sentence(error))
        lines = (_line(query, one["metric"], one["values"], grid) for one in found)
        return Asked(sent=sent, factor=factor, series=tuple(line for line in lines if _has_values(line)))

    return ask


def _refused(prometheus: Prometheus, text: str, grid: Grid) -> Asked | None:
    """Return that Prometheus refuses a query that we could not divide, with its own sentence; None if it does not."""
    try:
        prometheus.over(text, grid.start, grid.start, grid.step_s)
    except Refused as error:
        return Asked(sent=text, failed="refused", says=str(error))
    except Exception as error:
        return Asked(sent=text, failed="unanswered", says=sentence(error))
    return None


def _line(query: Query, labels: Mapping[str, str], samples: Sequence[Sequence[Any]], grid: Grid) -> Line:
    values: list[float | None] = [None] * grid.count
    for at, value in samples:
        place = round((float(at) - grid.start) / grid.step_s)
        if 0 <= place < grid.count:
            values[place] = float(value)
    return Line(name=legend(query, labels), labels=labels, values=values)


def _has_values(line: Line) -> bool:
    return any(value is not None and value == value for value in line.values)


def legend(query: Query, labels: Mapping[str, str]) -> str:
    """Return a series' name: by the legend's pattern, else its labels, else the query's letter."""
    if query.legend and query.legend != "__auto":
        return _LEGEND.sub(lambda match: labels.get(match.group(1), ""), query.legend).strip() or query.ref
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or query.ref


def ask_elasticsearch(live: LiveStack, grid: Grid) -> Server:
    """Return what asks the stack's Elasticsearch, in buckets one step wide."""
    logs = live.stack.signals.logs
    role = logs.role if logs else "elasticsearch"
    if role not in live.stack.roles:
        return lambda query, text: Asked(failed="unasked", says=f"The stack has no role {role}.")
    client = connect(live.address(role))

    def ask(query: Query, text: str) -> Asked:
        index = query.source.index or (logs.index if logs else "*")
        time_field = str(query.target.get("timeField") or (logs.time if logs else "@timestamp"))
        try:
            metric, aggregations = _aggregations(query.target, time_field, grid)
        except ValueError as error:
            return Asked(failed="unasked", says=str(error))
        limits = {"gte": _ms(grid.start), "lte": _ms(grid.end + grid.step_s), "format": "epoch_millis"}
        filters: list[dict[str, Any]] = [{"range": {time_field: limits}}]
        filters += [{"query_string": {"query": text, "analyze_wildcard": True}}] if text else []
        try:
            answer = client.search(
                index=index, size=0, query={"bool": {"filter": filters}}, aggs=aggregations, ignore_unavailable=True
            )
        except ApiError as error:
            return Asked(sent=text, failed="refused", says=sentence(error))
        except Exception as error:
            return Asked(sent=text, failed="unanswered", says=sentence(error))
        lines = tuple(_buckets(query, answer.get("aggregations") or {}, metric, {}, grid))
        divided = metric in (*_COUNTED, "sum")  # a bucket is as much shorter as the drill
        return Asked(sent=text, factor=grid.speed if divided else 1.0, series=lines)

    return ask


def _aggregations(target: Mapping[str, Any], time_field: str, grid: Grid) -> tuple[str, dict[str, Any]]:
    """Return the metric and the aggregations of a target; ValueError says which part of it is not understood."""
    metrics = [one for one in target.get("metrics") or ({"type": "count"},) if not one.get("hide")]
    metric = str(metrics[0].get("type"))
    if len(metrics) != 1 or metric not in _COUNTED + _METRICS:
        raise ValueError(f"A query for {', '.join(str(one.get('type')) for one in metrics)} is not understood.")
    inner = {} if metric in _COUNTED else {"value": {metric: {"field": metrics[0]["field"]}}}
    step = {"field": time_field, "fixed_interval": f"{_ms(grid.step_s)}ms", "offset": f"{_offset(grid)}ms"}
    bounds = {"min": _ms(grid.start), "max": _ms(grid.end)}
    over_time = {"date_histogram": {**step, "min_doc_count": 0, "extended_bounds": bounds}}
    found: dict[str, Any] = {"time": {**over_time, **({"aggs": inner} if inner else {})}}
    for bucket in reversed(target.get("bucketAggs") or ()):
        if bucket.get("type") == "terms":
            found = {f"by {bucket['field']}": {"terms": {"field": bucket["field"], "size": _MOST_TERMS}, "aggs": found}}
        elif bucket.get("type") != "date_histogram":
            raise ValueError(f"Buckets of the type {bucket.get('type')} are not understood.")
    return metric, found


def _offset(grid: Grid) -> int:
    return _ms(grid.start) % _ms(grid.step_s)


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _buckets(
    query: Query, found: Mapping[str, Any], metric: str, labels: Mapping[str, str], grid: Grid
) -> Iterator[Line]:
    for name, content in found.items():
        if name == "time":
            rows = [(one["key"] / 1000, _value(one, metric)) for one in content["buckets"]]
            samples = [row for row in rows if row[1] is not None]
            if any(one["doc_count"] for one in content["buckets"]):
                yield _line(query, labels or {"query": query.text}, samples, grid)
        elif name.startswith("by "):
            for one in content["buckets"]:
                yield from _buckets(
                    query,
                    {k: v for k, v in one.items() if isinstance(v, dict)},
                    metric,
                    {**labels, name[3:]: str(one["key"])},
                    grid,
                )


def _value(bucket: Mapping[str, Any], metric: str) -> float | None:
    value = bucket["doc_count"] if metric in _COUNTED else bucket["value"]["value"]
    return None if value is None else float(value)
