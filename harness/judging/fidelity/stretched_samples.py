"""Recorded samples stretched back to production time: what the same drill would have left at speed 1.

A run at speed K takes one wall second for K production seconds; rates per second and latencies stay as they are. So,
with `origin` the wall time of the first evaluation of a rule group (production time 0):

    time              t' = (t - origin) * K
    counter, bucket   v' = v * K                 dv'/dt' = dv/dt: rates, ratios and quantiles keep their value
    moment            v' = (v - origin) * K      a gauge that holds epoch seconds
    age               v' = v * K                 a gauge that holds seconds of the drill's own time
    other gauges      v' = v

Prometheus answers no query with its stale markers, so they are put back where it wrote them: at the first scrape of a
target, failed ones included (`up`), that no longer held a series.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tocsin.harness.evidence.metrics import Metrics, Series
from tocsin.harness.monitoring.promql.compression_analysis import Scales

Kind = Literal["counter", "moment", "age", "gauge"]
_EARLIEST_EPOCH = 1e9
_SAME_SCRAPE_S = 0.005
"""Every sample of a scrape carries the same time, to the millisecond."""


@dataclass(frozen=True, kw_only=True)
class Stretched:
    """A series in production time: `t` seconds from the origin, ascending; `stale` where a marker was written."""

    labels: Mapping[str, str]
    t: np.ndarray
    v: np.ndarray
    stale: np.ndarray
    moment: bool = False
    """Its values are times, in production seconds from the origin."""


def kind_of(name: str, values: np.ndarray, names: Container[str], scales: Scales) -> Kind:
    """Tell what a metric's values mean: as the stack declares it, else by its name; `names` are all of the run.

    `_count` and `_sum` count only beside each other or beside buckets; a moment holds epoch seconds.
    """
    if name in scales.ages:
        return "age"
    if name in scales.events:
        return "gauge"  # what the drill does happens as often as in production
    if scales.of(name).moment or name.endswith("_time_seconds"):
        finite = values[np.isfinite(values) & (values != 0)]
        if len(finite) and finite.min() > _EARLIEST_EPOCH:
            return "moment"
        return "gauge"
    for end in ("_count", "_sum", "_bucket"):
        stem = name.removesuffix(end)
        if stem != name and sum(f"{stem}{other}" in names for other in ("_count", "_sum", "_bucket")) > 1:
            return "counter"
    if name.endswith("_total"):
        return "counter"
    return "age" if scales.of(name).power == -1 else "gauge"


def stretched(
    metrics: Metrics, names: Iterable[str], *, origin: float, speed: float, scales: Scales
) -> list[Stretched]:
    """Return every series of these metrics in production time from `origin` (epoch seconds) on, in order of names."""
    known = frozenset(metrics.names())
    scrapes = {_target(up.labels): up.t for up in metrics.select("up")}
    every = []
    for name in sorted(set(names)):
        for series in metrics.select(name):
            kind = kind_of(name, series.v, known, scales)
            every.append(stretch(series, kind, scrapes.get(_target(series.labels)), origin=origin, speed=speed))
    return every


def stretch(series: Series, kind: Kind, scrapes: np.ndarray | None, *, origin: float, speed: float) -> Stretched:
    """Return one series in production time. `scrapes` are the times of its target's scrapes, None if it has no target.

    What was recorded before the origin is brought to it: the last of those samples is seen there.
    """
    t, v, stale = (series.t - origin) * speed, series.v, np.empty(0)
    if kind in ("counter", "age"):
        v = series.v * speed
    if kind == "moment":
        v = np.where(series.v > _EARLIEST_EPOCH, (series.v - origin) * speed, series.v)
    if scrapes is not None:
        stale = (ended(series.t, scrapes) - origin) * speed
    first = max(int(np.searchsorted(t, 0.0, side="right")) - 1, 0)
    return Stretched(
        labels=series.labels,
        t=np.maximum(t[first:], 0.0),
        v=v[first:],
        stale=stale[stale > 0],
        moment=kind == "moment",
    )


def ended(t: np.ndarray, scrapes: np.ndarray) -> np.ndarray:
    """Return the scrapes that no longer held a series whose samples are at `t`; times as given."""
    places = np.searchsorted(scrapes, t - _SAME_SCRAPE_S)
    inside = places < len(scrapes)
    places, t = places[inside], t[inside]
    if not len(places) or (np.abs(scrapes[places] - t) > _SAME_SCRAPE_S).any():
        return np.empty(0)  # it carries times of its own: Prometheus writes no markers for those
    following = places + 1
    gone = following[(following < len(scrapes)) & ~np.isin(following, places)]
    return scrapes[gone]


def selector(labels: Mapping[str, str]) -> str:
    """Return the name of a series as Prometheus writes it: `up{job="model"}`."""
    inner = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items() if key != "__name__")
    return f"{labels['__name__']}{{{inner}}}"


def notation(series: Stretched, step_s: float = 1.0) -> str:
    """Return the values as promtool writes them, one place each `step_s` from 0: `5 _x14 7 _x14 stale`.

    A sample stands at the first place that is not before it, so that no evaluation sees it too early.
    """
    places = _places(series.t, step_s)
    values = dict(zip(_places(series.stale, step_s), ["stale"] * len(series.stale), strict=True))
    values |= dict(zip(places, map(_number, series.v.tolist()), strict=True))
    words, before = [], -1
    for place in sorted(values):
        if place > before + 1:
            words.append(f"_x{place - before - 1}")
        words.append(values[place])
        before = place
    return " ".join(words)


def _places(t: np.ndarray, step_s: float) -> list[int]:
    places: list[int] = np.ceil(t / step_s - 1e-6).astype(np.int64).tolist()
    return places


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return {math.inf: "Inf", -math.inf: "-Inf"}.get(value, repr(value))


def _target(labels: Mapping[str, str]) -> tuple[str | None, str | None]:
    return labels.get("job"), labels.get("instance")
