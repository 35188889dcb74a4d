"""Alerts: when each one was pending and firing, from ALERTS, and when Alertmanager held it back, from `alerts.jsonl`.

The samples of ALERTS carry the times at which Prometheus evaluated the rule, so an episode is exact to the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Metrics, Series

_GAP = 1.6
"""A step between two samples of one alert that is longer than this many intervals of its group is a hole."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One time that an alert fired. Times are epoch seconds of evaluations.

    `labels` are those of the rule, without `alertname`. `pending_at` is None when it fired at once; `end` is the first
    evaluation at which it was gone, None while it still fired at the last one. In `inhibited` and `silenced` nobody
    was told; an interval still open reaches to the last evaluation.
    """

    alert: str
    labels: Mapping[str, str]
    pending_at: float | None
    start: float
    end: float | None
    inhibited: tuple[Interval, ...] = ()
    silenced: tuple[Interval, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    """The names of the alerts that inhibited it, sorted."""


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Every episode of a run by start, and the first and last evaluation seen (None: no evaluation was)."""

    all: tuple[Episode, ...]
    never_fired: tuple[Episode, ...]
    """What was pending and went away: `start` is when it became pending."""
    first_evaluation: float | None
    last_evaluation: float | None

    @classmethod
    def read(cls, metrics: Metrics, rows: Sequence[Mapping[str, Any]], evaluation_s: Callable[[str], float]) -> Alerts:
        """Build the episodes from ALERTS and the rows of `alerts.jsonl`. No metrics: no episodes and no evaluation.

        `evaluation_s` returns the wall seconds between two evaluations of the alert with this name.
        """
        series = metrics.select("ALERTS")
        seen = np.unique(np.concatenate([one.t for one in series])) if series else np.empty(0)
        if not len(seen):
            return cls(all=(), never_fired=(), first_evaluation=None, last_evaluation=None)
        fired: list[Episode] = []
        waited: list[Episode] = []
        for labels, firing, pending in _paired(series):
            step = evaluation_s(labels.get("alertname", ""))
            fired += _episodes(labels, firing, pending, seen, step, rows)
            waited += _waits(labels, firing, pending, seen, step)
        return cls(
            all=tuple(sorted(fired, key=lambda one: one.start)),
            never_fired=tuple(sorted(waited, key=lambda one: one.start)),
            first_evaluation=float(seen[0]),
            last_evaluation=float(seen[-1]),
        )

    def episodes(self, alert: str | None = None, labels: Mapping[str, str] | None = None) -> tuple[Episode, ...]:
        """Return the episodes of an alert (None: of all) whose labels include the given ones."""
        wanted = (labels or {}).items()
        return tuple(one for one in self.all if alert in (None, one.alert) and wanted <= one.labels.items())


def _paired(series: Iterable[Series]) -> list[tuple[dict[str, str], np.ndarray, np.ndarray]]:
    """Return per alert (labels with `alertname`) its firing and its pending times."""
    states: dict[tuple[tuple[str, str], ...], dict[str, np.ndarray]] = {}
    for one in series:
        key = tuple(sorted((k, v) for k, v in one.labels.items() if k not in ("__name__", "alertstate")))
        states.setdefault(key, {})[one.labels.get("alertstate", "")] = one.t
    none = np.empty(0)
    return [(dict(key), found.get("firing", none), found.get("pending", none)) for key, found in states.items()]


def _episodes(
    labels: dict[str, str],
    firing: np.ndarray,
    pending: np.ndarray,
    seen: np.ndarray,
    step: float,
    held: Sequence[Mapping[str, Any]],
) -> list[Episode]:
    waits = _runs(pending, seen, step)
    found = []
    for first, last in _runs(firing, seen, step):
        before = [start for start, end in waits if 0 < first - end <= _GAP * step]
        end = _gone(last, seen, step)
        whole = Interval(start=first, end=float(seen[-1]) if end is None else end)
        found.append(
            Episode(
                alert=labels.get("alertname", ""),
                labels=_without_name(labels),
                pending_at=before[-1] if before else None,
                start=first,
                end=end,
                inhibited=_held(held, labels, "inhibitedBy", whole),
                silenced=_held(held, labels, "silencedBy", whole),
                inhibited_by=_sources(held, labels, whole),
            )
        )
    return found


def _waits(
    labels: dict[str, str], firing: np.ndarray, pending: np.ndarray, seen: np.ndarray, step: float
) -> list[Episode]:
    name, rest = labels.get("alertname", ""), _without_name(labels)
    return [
        Episode(alert=name, labels=rest, pending_at=first, start=first, end=_gone(last, seen, step))
        for first, last in _runs(pending, seen, step)
        if not ((firing > last) & (firing - last <= _GAP * step)).any()
    ]


def _without_name(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key != "alertname"}


def _runs(t: np.ndarray, seen: np.ndarray, step: float) -> list[tuple[float, float]]:
    """Return (first, last) of each stretch without a hole in which rules were evaluated.

    While Prometheus was down nothing was evaluated, so nothing was seen to end: such a hole is bridged.
    """
    if not len(t):
        return []
    holes: list[int] = [
        at for at in np.flatnonzero(np.diff(t) > _GAP * step).tolist() if _evaluated(t[at], t[at + 1], seen, step)
    ]
    firsts, lasts = [0, *(at + 1 for at in holes)], [*holes, len(t) - 1]
    return [(float(t[first]), float(t[last])) for first, last in zip(firsts, lasts, strict=True)]


def _evaluated(start: float, end: float, seen: np.ndarray, step: float) -> bool:
    """Tell whether rules were evaluated inside a hole, apart from margins in which other groups may still have run."""
    margin = step if end - start > 3.2 * step else step / 2
    return bool(((seen > start + margin) & (seen < end - margin)).any())


def _gone(last: float, seen: np.ndarray, step: float) -> float | None:
    """Return the first evaluation after the last sample, None when there was none.

    Groups are evaluated at offsets of their own but at an exact step: when others went on, this one's was due then.
    """
    if ((seen > last + step / 2) & (seen <= last + _GAP * step)).any():
        return last + step if seen[-1] > last + _GAP * step or _exactly(last + step, seen, step) else None
    later = seen[seen > last + step / 2]
    return float(later[0]) if len(later) else None


def _exactly(t: float, seen: np.ndarray, step: float) -> bool:
    return bool((np.abs(seen - t) < step / 100).any())


def _held(
    rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], by: str, whole: Interval
) -> tuple[Interval, ...]:
    """Return when Alertmanager held this alert back, within its episode. It may know the alert under more labels.

    Alertmanager hears of an alert after its first evaluation, and we ask it every half second: an alert never seen
    otherwise counts as held from its first sample, one held until it left as held until its end.
    """
    since: dict[str, float] = {}
    known: set[str] = set()
    found = []
    for row in rows:
        if not labels.items() <= row.get("labels", {}).items():
            continue
        name, at = str(row.get("fingerprint", "")), float(row["at"])
        left = row.get("state") == "gone"
        if row.get(by):
            at_once = name not in known and at >= whole.start
            since.setdefault(name, whole.start if at_once else at)
        elif name in since:
            end = max(at, whole.end) if left and at >= whole.start else at
            found.append(Interval(start=since.pop(name), end=end))
        known = known - {name} if left else known | {name}
    found += [Interval(start=start, end=whole.end) for start in since.values() if start < whole.end]
    inside = [Interval(start=max(one.start, whole.start), end=min(one.end, whole.end)) for one in found]
    return tuple(sorted(one for one in inside if one.seconds > 0))


def _sources(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], whole: Interval) -> tuple[str, ...]:
    """Return the names of the alerts that inhibited this one while it fired, as Alertmanager named them."""
    names = {str(row.get("fingerprint", "")): str(row.get("labels", {}).get("alertname", "")) for row in rows}
    mine = (row for row in rows if row.get("inhibitedBy") and labels.items() <= row.get("labels", {}).items())
    found = {names.get(one, one) for row in mine if float(row["at"]) <= whole.end for one in row["inhibitedBy"]}
    return tuple(sorted(found))
