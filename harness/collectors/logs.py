"""Logs: reads what the service wrote and which documents came out at the far end, for `logs/ledger`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from elasticsearch import Elasticsearch

from tocsin.harness.collectors import elasticsearch_documents as far
from tocsin.harness.collectors.collector import CollectedRun, Collector, in_words, sentence
from tocsin.harness.collectors.server_queries import JsonObject
from tocsin.harness.collectors.service_log_lines import LineCounter, log_files, read_lines
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.declarations.stack_signals import LogsSignal
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.logs import SOURCE

_COUNT_EVERY_S = 0.25
"""A refresh is expensive for Elasticsearch, so the count may be this old, wall seconds."""


class LogsCollector(Collector):
    """Reads both ends at collect; while the drill runs it only counts, and only when asked."""

    name = "logs"
    asks: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._lines = LineCounter()
        self._counted_at = 0.0
        self._documents = 0

    def start(self, live: LiveStack, run: CollectedRun, journal: Journal) -> None:
        """Open the client; nothing runs meanwhile."""
        logs = live.stack.signals.logs
        self._client = None if logs is None else far.connect(live.address(logs.role))

    @in_words
    def seen_canary(self, live: LiveStack, run: CollectedRun) -> tuple[bool, str]:
        """Tell whether a line of some canary of this run has come out as a document."""
        logs = live.stack.signals.logs
        if logs is None or self._client is None:
            return True, "signals.logs is not declared; checks on it are unknown"
        prefix = f"{run.id}-0-"
        far.refresh(self._client, logs.index)
        seen = far.count(self._client, logs.index, query={"prefix": {logs.id: prefix}})
        return seen > 0, f"{seen} documents with an id {prefix}..."

    @in_words
    def caught_up(self, live: LiveStack, run: CollectedRun, at: float) -> tuple[bool, str]:
        """Tell whether as many documents came out, parsed or not, as whole lines were written by now."""
        logs = live.stack.signals.logs
        if logs is None or self._client is None:
            return True, "signals.logs is not declared; checks on it are unknown"
        lines = self._lines.count(log_files(logs.files, live.work))
        out = self._count(logs)
        return out >= lines, f"{out} documents came out of {lines} lines"

    def collect(self, live: LiveStack, window: SettledWindow, run: CollectedRun, journal: Journal) -> int:
        """Write `logs/`: documents.npy, unparsed.jsonl, source.npy, summary.json; return the number of documents."""
        logs = live.stack.signals.logs
        if logs is None or self._client is None:
            return 0
        folder = run.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        summary, wrong = _source(folder, logs, live.work)
        read, failures = _far_end(self._client, folder, logs)
        wrong += failures
        for detail in wrong:
            journal.note("stream_lost", stream=self.name, detail=detail)
        summary |= read | {"complete": not wrong, "detail": "; ".join(wrong)}
        (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        self._client.close()
        return int(read["documents"])

    def _count(self, logs: LogsSignal) -> int:
        assert self._client is not None
        if time.monotonic() - self._counted_at >= _COUNT_EVERY_S:
            far.refresh(self._client, logs.index, logs.unparsed)
            self._documents = far.count(self._client, logs.index, logs.unparsed)
            self._counted_at = time.monotonic()
        return self._documents


def _source(folder: Path, logs: LogsSignal, work: Path) -> tuple[JsonObject, list[str]]:
    """Write source.npy; return its part of the summary and what went wrong."""
    files = log_files(logs.files, work)
    wrong = [] if files else [f"no file matches {logs.files}"]
    try:
        lines = read_lines(files, id=logs.id, status=logs.status)
    except OSError as error:
        np.save(folder / "source.npy", np.empty(0, SOURCE))
        return {"source_lines": 0, "source_malformed": 0, "source_torn": 0}, [sentence(error)]
    np.save(folder / "source.npy", lines.rows)
    return {"source_lines": lines.count, "source_malformed": lines.malformed, "source_torn": lines.torn}, wrong


def _far_end(client: Elasticsearch, folder: Path, logs: LogsSignal) -> tuple[JsonObject, list[str]]:
    """Write documents.npy and unparsed.jsonl; return their part of the summary and what went wrong."""
    documents, unparsed, wrong = far.Documents(pages=[], indices=[]), 0, []
    try:
        far.refresh(client, logs.index, logs.unparsed)
        far.read_documents(client, logs, documents)
        unparsed = _write_lines(folder / "unparsed.jsonl", far.read_sources(client, logs.unparsed))
    except Exception as error:
        wrong.append(f"Elasticsearch: {sentence(error)}")
    rows = documents.rows
    np.save(folder / "documents.npy", rows)
    return {"indices": documents.indices, "documents": len(rows), "unparsed": unparsed}, wrong


def _write_lines(path: Path, rows: Iterable[JsonObject]) -> int:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            written += 1
    return written
