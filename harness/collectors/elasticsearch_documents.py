"""Reads every document of an index pattern from Elasticsearch; works with the reduced and the full distribution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError, TransportError

from tocsin.harness.collectors.server_queries import JsonObject
from tocsin.harness.collectors.service_log_lines import as_status
from tocsin.harness.declarations.stack_signals import LogsSignal
from tocsin.harness.evidence.logs import DOCUMENT

_PAGE = 10_000
_KEEP = "1m"


@dataclass(kw_only=True)
class Documents:
    """What has been read so far: pages of DOCUMENT rows, and the names of the indices in order of their numbers."""

    pages: list[np.ndarray]
    indices: list[str]

    @property
    def rows(self) -> np.ndarray:
        """All documents."""
        return np.concatenate([np.empty(0, DOCUMENT), *self.pages])


def connect(address: str) -> Elasticsearch:
    """Return a client of `127.0.0.1:port`; nothing is asked yet. The reduced distribution answers `GET /` with 405."""
    return Elasticsearch(f"http://{address}", request_timeout=10, max_retries=1, retry_on_timeout=True)


def refresh(client: Elasticsearch, *patterns: str) -> None:
    """Make everything indexed so far visible to searches."""
    client.indices.refresh(index=",".join(patterns), ignore_unavailable=True, allow_no_indices=True)


def count(client: Elasticsearch, *patterns: str, query: Mapping[str, object] | None = None) -> int:
    """Return how many visible documents match; 0 when there is no such index."""
    answer = client.count(index=",".join(patterns), query=query, ignore_unavailable=True, allow_no_indices=True)
    return int(answer["count"])


def read_documents(client: Elasticsearch, logs: LogsSignal, into: Documents) -> None:
    """Read every document of `logs.index` into `into`, page by page, so that what came before an error is kept."""
    wanted = [{"field": logs.id}, {"field": logs.status}, {"field": logs.time, "format": "epoch_millis"}]
    try:
        pages = _pages(client, logs.index, docvalue_fields=wanted, source=False)
        first = next(pages, [])
    except BadRequestError:  # a text field has no doc values; `fields` reads the source, at half the speed
        pages = _pages(client, logs.index, fields=wanted, source=False)
        first = next(pages, [])
    _keep(first, logs, into)
    for hits in pages:
        _keep(hits, logs, into)


def read_sources(client: Elasticsearch, pattern: str) -> Iterator[JsonObject]:
    """Yield every document of a pattern in full, with `_index` and `_id`."""
    for hits in _pages(client, pattern, source=True):
        for hit in hits:
            yield {"_index": hit["_index"], "_id": hit["_id"], **hit["_source"]}


def _pages(client: Elasticsearch, pattern: str, **wanted: Any) -> Iterator[list[JsonObject]]:
    """Yield pages of hits of one consistent view, in shard order: the cheapest order, and each document once."""
    if not count(client, pattern):
        return
    try:
        view = client.open_point_in_time(index=pattern, keep_alive=_KEEP)["id"]
    except NotFoundError:
        return
    try:
        yield from _walk(client, view, wanted)
    finally:
        with suppress(ApiError, TransportError):  # it expires by itself
            client.close_point_in_time(id=view)


def _walk(client: Elasticsearch, view: str, wanted: JsonObject) -> Iterator[list[JsonObject]]:
    after: list[str | int | float | None] | None = None
    while True:
        answer = client.search(
            pit={"id": view, "keep_alive": _KEEP},
            size=_PAGE,
            sort=["_shard_doc"],
            search_after=after,
            track_total_hits=False,
            **wanted,
        )
        hits = answer["hits"]["hits"]
        if not hits:
            return
        yield hits
        after = hits[-1]["sort"]


def _keep(hits: list[JsonObject], logs: LogsSignal, into: Documents) -> None:
    rows = np.zeros(len(hits), DOCUMENT)
    places = {name: place for place, name in enumerate(into.indices)}
    for row, hit in zip(rows, hits, strict=True):
        fields = hit.get("fields", {})
        place = places.setdefault(hit["_index"], len(places))
        row["id"] = str(_first(fields, logs.id) or "").encode()
        row["status"] = as_status(_first(fields, logs.status))
        time = _first(fields, logs.time)
        row["time"] = np.nan if time is None else float(time) / 1000
        row["index"] = place
    into.indices[:] = list(places)
    into.pages.append(rows)


def _first(fields: Mapping[str, list[str]], name: str) -> str | None:
    values = fields.get(name)
    return values[0] if values else None
