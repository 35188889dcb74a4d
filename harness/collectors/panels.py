"""Panels: records what each panel of the stack's dashboards showed over play, before the servers go down."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict

from tocsin.harness.collectors.collector import CollectedRun, sentence
from tocsin.harness.collectors.panel_queries import Grid, QueryResult, ask_elasticsearch, ask_prometheus
from tocsin.harness.collectors.server_queries import JsonObject, Prometheus, QueryRefused
from tocsin.harness.core.journal import Journal, read_journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.monitoring.dashboard_variables import Choice, NoValue, Unresolved, builtin_variables, choose, fill
from tocsin.harness.monitoring.dashboards import ELASTICSEARCH, PROMETHEUS, Dashboard, Panel, Query, read_dashboards
from tocsin.harness.monitoring.monitoring_files import read_monitoring

FOLDER = "panels"
SCHEMA = 1
POINTS = 400
"""Most points of time per series; a longer drill is looked at in wider steps, as Grafana does."""
SERIES = 40
"""Most series kept per query; how many were left out is written down."""
WITHIN_S = 25.0
"""Wall seconds for all queries together; what was not asked by then is recorded as not answered."""


def record_panels(live: LiveStack, run: CollectedRun, journal: Journal) -> int:
    """Write `panels/` of the run directory, a file per dashboard; return how many queries were asked.

    Without dashboards, or if play never began, nothing is written. A query that fails is recorded with the server's
    sentence.
    """
    begun = [fact.at for fact in read_journal(run.folder / "journal.jsonl") if fact.fact == "phase_started"]
    dashboards = read_dashboards(live.stack) if begun else ()
    if not dashboards:
        return 0
    grid = _grid(live, begun[0], run.clock.now())
    recorder = _Recorder(live, grid)
    target = run.folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for dashboard in dashboards:
        text = json.dumps(recorder.dashboard(dashboard), separators=(",", ":"), allow_nan=False)
        (target / f"{dashboard.name}.json").write_text(text + "\n", encoding="utf-8")
    journal.note("collected", stream=FOLDER, count=recorder.asked)
    return recorder.asked


def _grid(live: LiveStack, start: float, end: float) -> Grid:
    """Return the points of time: a scrape apart, or as many scrapes as keep them within POINTS."""
    scrape_s = read_monitoring(live.stack).scrape_interval_s if live.stack.prometheus else 15.0
    scrapes = max(1, math.ceil((end - start) * live.speed / scrape_s / POINTS))
    step_s = scrapes * scrape_s / live.speed
    return Grid(start=start, step_s=step_s, count=int((end - start) / step_s) + 1, speed=live.speed, scrape_s=scrape_s)


class _Recorder:
    """Runs the queries of one run, one after the other, until its time is over."""

    def __init__(self, live: LiveStack, grid: Grid) -> None:
        self.asked = 0
        self._live, self._grid = live, grid
        self._deadline = time.monotonic() + WITHIN_S
        interval_s = grid.step_s * grid.speed
        range_s = interval_s * (grid.count - 1)
        self._built_in = builtin_variables(interval_s=interval_s, scrape_s=grid.scrape_s, range_s=range_s)
        self._servers: Mapping[str, Callable[[Query, str], QueryResult]] = {
            PROMETHEUS: ask_prometheus(live, grid),
            ELASTICSEARCH: ask_elasticsearch(live, grid),
        }

    def dashboard(self, dashboard: Dashboard) -> JsonObject:
        """Return the content of a dashboard's file."""
        chosen, wrong = self._chosen(dashboard)
        return {
            "schema": SCHEMA,
            "name": dashboard.name,
            "uid": dashboard.uid,
            "title": dashboard.title,
            "file": dashboard.file,
            **asdict(self._grid),
            "variables": {name: list(choice.values) for name, choice in chosen.items()},
            "variables_failed": wrong.says,
            "panels": [self._panel(panel, chosen, wrong) for panel in dashboard.panels],
        }

    def _chosen(self, dashboard: Dashboard) -> tuple[dict[str, Choice], QueryResult]:
        """Return what is chosen for the variables, or none and why not."""
        try:
            return choose(dashboard.variables, self._label_values), QueryResult()
        except Unresolved as error:
            failed = "empty" if isinstance(error, NoValue) else "unasked"
            return {}, QueryResult(failed=failed, says=str(error))
        except QueryRefused as error:
            return {}, QueryResult(failed="refused", says=str(error))
        except Exception as error:
            return {}, QueryResult(failed="unanswered", says=f"The variables could not be asked for: {sentence(error)}")

    def _label_values(self, selector: str, label: str) -> list[str]:
        with closing(Prometheus(self._live)) as prometheus:
            return prometheus.label_values(label, selector, self._grid.start)

    def _panel(self, panel: Panel, chosen: Mapping[str, Choice], wrong: QueryResult) -> JsonObject:
        return {
            "id": panel.id,
            "title": panel.title,
            "type": panel.type,
            "unit": panel.unit,
            "stacked": panel.stacked,
            "thresholds": [list(step) for step in panel.thresholds],
            "queries": [self._query(query, chosen, wrong) for query in panel.queries],
        }

    def _query(self, query: Query, chosen: Mapping[str, Choice], wrong: QueryResult) -> JsonObject:
        head = {"ref": query.ref, "source": query.source.type, "legend": query.legend}
        try:
            text = fill(query.text, chosen, self._built_in)
        except Unresolved as error:
            failed = wrong if wrong.failed else QueryResult(failed="unasked", says=str(error))
            return {**head, "text": query.text, **_kept(failed)}
        server = self._servers.get(query.source.type)
        if server is None:
            says = f"A drill has no data source of the type {query.source.type!r}."
            result = QueryResult(failed="unasked", says=says)
        elif time.monotonic() > self._deadline:
            result = QueryResult(failed="unanswered", says=f"Not asked: the {WITHIN_S:g} s for all panels were over.")
        else:
            self.asked += 1
            result = server(query, text)
        return {**head, "text": text, **_kept(result)}


def _kept(result: QueryResult) -> JsonObject:
    series = sorted(result.series, key=lambda each: each.name)
    kept = [{"name": each.name, "labels": dict(each.labels), "values": _plain(each.values)} for each in series[:SERIES]]
    return {
        "sent": result.sent,
        "factor": result.factor,
        "failed": result.failed,
        "says": result.says,
        "left_out": max(len(series) - SERIES, 0),
        "series": kept,
    }


def _plain(values: Sequence[float | None]) -> list[float | str | None]:
    """Return values as JSON has them, six digits each: nan is a gap, infinities are words."""
    plain: list[float | str | None] = []
    for value in values:
        if value is None or math.isnan(value):
            plain.append(None)
        elif math.isinf(value):
            plain.append(str(value))
        else:
            plain.append(float(f"{value:.6g}"))
    return plain
