"""Panels: what each panel of the stack's dashboards showed over play, as recorded before the stack went down."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.rule_windows import longest_window_s

_LEGEND = re.compile(r"\{\{\s*([a-zA-Z_]\w*)\s*\}\}")


@dataclass(frozen=True, kw_only=True)
class RecordedSeries:
    """One series: its name in the legend, its labels, and its values as in production; nan where there was none."""

    name: str
    labels: Mapping[str, str]
    values: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PanelQuery:
    """One query of a panel: `text` as in production with its variables filled in, and what came of it.

    `failed`: nothing, `refused` by the server, `empty` because a variable has no value, `unanswered`, or `unasked`
    because it cannot be; `says` tells why. `left_out` series were too many to be kept.
    """

    ref: str
    source: str
    text: str
    legend: str = ""
    failed: str = ""
    says: str = ""
    left_out: int = 0
    series: tuple[RecordedSeries, ...] = ()

    @cached_property
    def window_s(self) -> float:
        """How far back a value looks by the query itself, production seconds; 0 where it does not say."""
        return longest_window_s(self.text) if self.source == "prometheus" else 0.0

    @property
    def missing_labels(self) -> tuple[str, ...]:
        """The labels that the legend shows and no series has: what is left of a label that was renamed."""
        if self.source != "prometheus" or not self.series:
            return ()
        present = set().union(*(series.labels for series in self.series))
        return tuple(name for name in _LEGEND.findall(self.legend) if name not in present)


@dataclass(frozen=True, kw_only=True)
class RecordedPanel:
    """A panel of a dashboard: `t` are the times (epoch seconds) of the values of all its series."""

    dashboard: str
    id: int
    title: str
    type: str
    unit: str
    stacked: bool
    thresholds: tuple[tuple[float, str], ...]
    queries: tuple[PanelQuery, ...]
    t: np.ndarray

    @property
    def name(self) -> str:
        """Return `dashboard/title`."""
        return f"{self.dashboard}/{self.title}"

    def within(self, interval: Interval) -> np.ndarray:
        """Return which of its times lie in an interval; its end belongs to the next one."""
        return (self.t >= interval.start) & (self.t < interval.end)


@dataclass(frozen=True, kw_only=True)
class RecordedDashboard:
    """A dashboard, by the name of its file; `unreadable` says why a file of `panels/` is none."""

    name: str
    title: str
    step_s: float = 0.0
    panels: tuple[RecordedPanel, ...] = ()
    variables: Mapping[str, list[str]] = field(default_factory=dict)
    unreadable: str = ""


def read_panels(folder: Path) -> tuple[RecordedDashboard, ...]:
    """Read `panels/` of a run directory, by name; no folder gives none, and a torn file one without panels."""
    return tuple(_read(path) for path in sorted(folder.glob("*.json")))


def _read(path: Path) -> RecordedDashboard:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        times = content["start"] + content["step_s"] * np.arange(int(content["count"]))
        return RecordedDashboard(
            name=content["name"],
            title=content["title"],
            step_s=float(content["step_s"]),
            panels=tuple(_panel(panel, content["name"], times) for panel in content["panels"]),
            variables=content["variables"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{path.name} cannot be read: {type(error).__name__}: {error}"
        return RecordedDashboard(name=path.stem, title=path.stem, unreadable=why)


def _panel(content: Mapping[str, Any], dashboard: str, times: np.ndarray) -> RecordedPanel:
    return RecordedPanel(
        **{name: content[name] for name in ("id", "title", "type", "unit", "stacked")},
        dashboard=dashboard,
        thresholds=tuple((float(value), str(color)) for value, color in content["thresholds"]),
        queries=tuple(map(_query, content["queries"])),
        t=times,
    )


def _query(content: Mapping[str, Any]) -> PanelQuery:
    factor = float(content["factor"])
    return PanelQuery(
        **{name: content[name] for name in ("ref", "source", "text", "legend", "failed", "says", "left_out")},
        series=tuple(
            RecordedSeries(
                name=series["name"],
                labels=series["labels"],
                values=np.array(series["values"], dtype=np.float64) * factor,  # null becomes nan, "inf" infinity
            )
            for series in content["series"]
        ),
    )
