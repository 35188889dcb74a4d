"""Runs one query of a panel over play: a range query of Prometheus or an aggregation of Elasticsearch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from elasticsearch import ApiError

from tocsin.harness.collectors.collector import sentence
from tocsin.harness.collectors.elasticsearch_documents import connect
from tocsin.harness.collectors.server_queries import JsonObject, Prometheus, QueryRefused
from tocsin.harness.core.untyped_data import mappings
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.monitoring.dashboards import Query
from tocsin.harness.monitoring.monitoring_files import read_monitoring
from tocsin.harness.monitoring.promql.compress import NotCompressible, compress_expr
from tocsin.harness.monitoring.promql.compression_analysis import Scales, analyse

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
class QuerySeries:
    """One series: its name in the legend, its labels, and a value (None: nothing there) per point of time."""

    name: str
    labels: Mapping[str, str]
    values: Sequence[float | None]

    @property
    def has_values(self) -> bool:
        """Whether any point of time has a number."""
        return any(value is not None and not math.isnan(value) for value in self.values)


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """What became of a query. Values times `factor` are those of production.

    `failed`: `refused` by the server, `empty` because a variable has no value, `unanswered`, or `unasked` because it
    cannot be; `says` tells why.
    """

    sent: str = ""
    factor: float = 1.0
    failed: str = ""
    says: str = ""
    series: tuple[QuerySeries, ...] = field(default_factory=tuple)


AskServer = Callable[[Query, str], QueryResult]


def ask_prometheus(live: LiveStack, grid: Grid) -> AskServer:
    """Return what asks the stack's Prometheus, with every duration of a query divided by the speed."""
    if "prometheus" not in live.stack.roles:
        return lambda query, text: QueryResult(failed="unasked", says="The stack has no role prometheus.")
    prometheus, scales = Prometheus(live), read_monitoring(live.stack).scales

    def ask(query: Query, text: str) -> QueryResult:
        sent, factor = text, 1.0
        try:
            if grid.speed != 1:
                sent = compress_expr(text, grid.speed, scales)
                factor = _factor(text, grid.speed, scales)
            answer = prometheus.over(sent, grid.start, grid.end, grid.step_s)
        except NotCompressible as error:
            return _not_compressible(prometheus, text, grid, error)
        except Exception as error:
            return _failed(sent, error)
        series = (_series(query, each["metric"], each["values"], grid) for each in answer)
        return QueryResult(sent=sent, factor=factor, series=tuple(each for each in series if each.has_values))

    return ask


def _factor(text: str, speed: float, scales: Scales) -> float:
    scale = analyse(text, scales).scale
    return float(speed**-scale.power) if scale.known and scale.power else 1.0


def _not_compressible(prometheus: Prometheus, text: str, grid: Grid, error: NotCompressible) -> QueryResult:
    """Return why an expression cannot be asked at this speed; that Prometheus refuses it anyway if so."""
    try:
        prometheus.over(text, grid.start, grid.start, grid.step_s)
    except Exception as refusal:
        return _failed(text, refusal)
    return QueryResult(failed="unasked", says=f"At speed {grid.speed:g} it cannot be asked: {error.message}")


def _failed(sent: str, error: Exception) -> QueryResult:
    """Return what an error of a server's client means for its query."""
    if isinstance(error, QueryRefused):
        return QueryResult(sent=sent, failed="refused", says=str(error))
    if isinstance(error, ApiError):
        return QueryResult(sent=sent, failed="refused", says=sentence(error))
    return QueryResult(sent=sent, failed="unanswered", says=sentence(error))


def _series(
    query: Query, labels: Mapping[str, str], samples: Sequence[tuple[float, float | str]], grid: Grid
) -> QuerySeries:
    values: list[float | None] = [None] * grid.count
    for at, value in samples:
        place = round((float(at) - grid.start) / grid.step_s)
        if 0 <= place < grid.count:
            values[place] = float(value)
    return QuerySeries(name=legend(query, labels), labels=labels, values=values)


def legend(query: Query, labels: Mapping[str, str]) -> str:
    """Return a series' name: by the legend's pattern, else its labels, else the query's letter."""
    if query.legend and query.legend != "__auto":
        return _LEGEND.sub(lambda match: labels.get(match.group(1), ""), query.legend).strip() or query.ref
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) or query.ref


def ask_elasticsearch(live: LiveStack, grid: Grid) -> AskServer:
    """Return what asks the stack's Elasticsearch, in buckets one step wide."""
    logs = live.stack.signals.logs
    role, logs_index, logs_time = "elasticsearch", "*", "@timestamp"
    if logs is not None:
        role, logs_index, logs_time = logs.role, logs.index, logs.time
    if role not in live.stack.roles:
        return lambda query, text: QueryResult(failed="unasked", says=f"The stack has no role {role}.")
    client = connect(live.address(role))

    def ask(query: Query, text: str) -> QueryResult:
        time_field = str(query.target.get("timeField") or logs_time)
        try:
            metric, aggregations = _aggregations(query.target, time_field, grid)
        except ValueError as error:
            return QueryResult(failed="unasked", says=str(error))
        try:
            answer = client.search(
                index=query.source.index or logs_index,
                size=0,
                query={"bool": {"filter": _filters(text, time_field, grid)}},
                aggs=aggregations,
                ignore_unavailable=True,
            )
        except Exception as error:
            return _failed(text, error)
        series = tuple(_buckets(query, answer.get("aggregations") or {}, metric, {}, grid))
        factor = grid.speed if metric in (*_COUNTED, "sum") else 1.0  # a bucket is as much shorter as the drill
        return QueryResult(sent=text, factor=factor, series=series)

    return ask


def _filters(text: str, time_field: str, grid: Grid) -> list[JsonObject]:
    limits = {"gte": _ms(grid.start), "lte": _ms(grid.end + grid.step_s), "format": "epoch_millis"}
    filters: list[JsonObject] = [{"range": {time_field: limits}}]
    if text:
        filters.append({"query_string": {"query": text, "analyze_wildcard": True}})
    return filters


def _aggregations(target: Mapping[str, object], time_field: str, grid: Grid) -> tuple[str, JsonObject]:
    """Return the metric and the aggregations of a target; ValueError says which part of it is not understood."""
    metrics = [metric for metric in mappings(target.get("metrics") or [{"type": "count"}]) if not metric.get("hide")]
    metric = ", ".join(str(metric.get("type")) for metric in metrics)
    if metric not in _COUNTED + _METRICS:
        raise ValueError(f"A query for {metric} is not understood.")
    step_ms, offset_ms = _ms(grid.step_s), _ms(grid.start) % _ms(grid.step_s)
    step = {"field": time_field, "fixed_interval": f"{step_ms}ms", "offset": f"{offset_ms}ms"}
    bounds = {"min": _ms(grid.start), "max": _ms(grid.end)}
    over_time: JsonObject = {"date_histogram": {**step, "min_doc_count": 0, "extended_bounds": bounds}}
    if metric not in _COUNTED:
        over_time["aggs"] = {"value": {metric: {"field": metrics[0]["field"]}}}
    aggregations: JsonObject = {"time": over_time}
    for bucket in reversed(mappings(target.get("bucketAggs"))):
        if bucket.get("type") == "terms":
            terms = {"field": bucket["field"], "size": _MOST_TERMS}
            aggregations = {f"by {bucket['field']}": {"terms": terms, "aggs": aggregations}}
        elif bucket.get("type") != "date_histogram":
            raise ValueError(f"Buckets of the type {bucket.get('type')} are not understood.")
    return metric, aggregations


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _buckets(
    query: Query, aggregations: JsonObject, metric: str, labels: Mapping[str, str], grid: Grid
) -> Iterator[QuerySeries]:
    """Yield the series of an answer: one per combination of terms that has documents."""
    for name, content in aggregations.items():
        buckets = content["buckets"]
        if name == "time":
            samples = [(bucket["key"] / 1000, _value(bucket, metric)) for bucket in buckets]
            present = [(at, value) for at, value in samples if value is not None]
            if any(bucket["doc_count"] for bucket in buckets):
                yield _series(query, labels or {"query": query.text}, present, grid)
        elif name.startswith("by "):
            for bucket in buckets:
                inner = {key: value for key, value in bucket.items() if isinstance(value, dict)}
                yield from _buckets(query, inner, metric, {**labels, name[3:]: str(bucket["key"])}, grid)


def _value(bucket: JsonObject, metric: str) -> float | None:
    value = bucket["doc_count"] if metric in _COUNTED else bucket["value"]["value"]
    return None if value is None else float(value)
