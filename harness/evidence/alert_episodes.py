"""Alerts: when each one was pending and firing, from ALERTS, and when Alertmanager held it back, from `alerts.jsonl`.

The samples of ALERTS carry the times at which Prometheus evaluated the rule, so an episode is exact to the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tocsin.harness.evidence.alertmanager_states import AlertState
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Metrics, Series, sample_times

_GAP = 1.6
"""A step between two samples of one alert that is longer than this many intervals of its group is a hole."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One time that an alert fired. Times are epoch seconds of evaluations.

    `labels` are those of the rule, without `alertname`. `pending_at` is None when it fired at once; `end` is the first
    evaluation at which it was gone, None while it still fired at the last one. In `inhibited` and `silenced` nobody
    was notified; an interval still open reaches to the last evaluation.
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

    def has(self, labels: Mapping[str, str]) -> bool:
        """Tell whether it carries these labels; others are free."""
        return labels.items() <= self.labels.items()


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Every episode of a run by start, and the last evaluation seen (None: no evaluation was)."""

    all: tuple[Episode, ...] = ()
    never_fired: tuple[Episode, ...] = ()
    """What was pending and went away: `start` is when it became pending."""
    last_evaluation: float | None = None

    @classmethod
    def read(cls, metrics: Metrics, states: Sequence[AlertState], evaluation_s: Callable[[str], float]) -> Alerts:
        """Build the episodes from ALERTS and what Alertmanager held. No metrics: no episodes and no evaluation.

        `evaluation_s` returns the wall seconds between two evaluations of the alert with this name.
        """
        series = metrics.select("ALERTS")
        evaluations = sample_times(series)
        if not len(evaluations):
            return cls()
        fired: list[Episode] = []
        only_pending: list[Episode] = []
        for one in _alert_samples(series, evaluations, evaluation_s):
            fired += [_with_holds(episode, states, float(evaluations[-1])) for episode in one.episodes()]
            only_pending += one.never_fired()
        return cls(
            all=tuple(sorted(fired, key=lambda episode: episode.start)),
            never_fired=tuple(sorted(only_pending, key=lambda episode: episode.start)),
            last_evaluation=float(evaluations[-1]),
        )

    def episodes(self, alert: str | None = None, labels: Mapping[str, str] | None = None) -> tuple[Episode, ...]:
        """Return the episodes of an alert (None: of all) whose labels include the given ones."""
        return tuple(one for one in self.all if alert in (None, one.alert) and one.has(labels or {}))


@dataclass(frozen=True, kw_only=True)
class _AlertSamples:
    """The times at which one alert fired and was pending, among all `evaluations`; its group's come each `step`."""

    labels: Mapping[str, str]
    firing: np.ndarray
    pending: np.ndarray
    evaluations: np.ndarray
    step: float

    def episodes(self) -> list[Episode]:
        waits = self._stretches(self.pending)
        episodes = []
        for first, last in self._stretches(self.firing):
            before = [start for start, end in waits if 0 < first - end <= _GAP * self.step]
            pending_at = next(reversed(before), None)
            episodes.append(self._episode(first, last, pending_at))
        return episodes

    def never_fired(self) -> list[Episode]:
        episodes = []
        for first, last in self._stretches(self.pending):
            fires_next = (self.firing > last) & (self.firing - last <= _GAP * self.step)
            if not fires_next.any():
                episodes.append(self._episode(first, last, first))
        return episodes

    def _episode(self, first: float, last: float, pending_at: float | None) -> Episode:
        labels = {name: value for name, value in self.labels.items() if name != "alertname"}
        alert = self.labels.get("alertname", "")
        return Episode(alert=alert, labels=labels, pending_at=pending_at, start=first, end=self._gone(last))

    def _stretches(self, times: np.ndarray) -> list[tuple[float, float]]:
        """Return (first, last) of each stretch without a hole in which rules were evaluated.

        While Prometheus was down nothing was evaluated, so nothing was seen to end: such a hole is bridged.
        """
        if not len(times):
            return []
        wide = np.flatnonzero(np.diff(times) > _GAP * self.step)
        holes = [at for at in wide.tolist() if self._evaluated(times[at], times[at + 1])]
        parts = np.split(times, np.array(holes, dtype=int) + 1)
        return [(float(part[0]), float(part[-1])) for part in parts]

    def _evaluated(self, start: float, end: float) -> bool:
        """Tell whether rules were evaluated in a hole, apart from margins in which other groups may still have run."""
        margin = self.step if end - start > 3.2 * self.step else self.step / 2
        return bool(((self.evaluations > start + margin) & (self.evaluations < end - margin)).any())

    def _gone(self, last: float) -> float | None:
        """Return the first evaluation after the last sample, None when there was none.

        Each group is evaluated at its own offset but at an exact step: if others went on, this one was due one step on.
        """
        due, late = last + self.step, last + _GAP * self.step
        later = self.evaluations[self.evaluations > last + self.step / 2]
        if not len(later):
            return None
        if later[0] > late:
            return float(later[0])
        exactly_due = np.abs(self.evaluations - due) < self.step / 100
        return due if later[-1] > late or exactly_due.any() else None


def _alert_samples(
    series: Iterable[Series], evaluations: np.ndarray, evaluation_s: Callable[[str], float]
) -> list[_AlertSamples]:
    """Return the samples of each alert, which has a series of its own in each state."""
    times: dict[tuple[tuple[str, str], ...], dict[str, np.ndarray]] = {}
    for one in series:
        labels = {name: value for name, value in one.labels.items() if name not in ("__name__", "alertstate")}
        times.setdefault(tuple(sorted(labels.items())), {})[one.labels.get("alertstate", "")] = one.t
    none = np.empty(0)
    return [
        _AlertSamples(
            labels=dict(labels),
            firing=by_state.get("firing", none),
            pending=by_state.get("pending", none),
            evaluations=evaluations,
            step=evaluation_s(dict(labels).get("alertname", "")),
        )
        for labels, by_state in times.items()
    ]


def _with_holds(episode: Episode, states: Sequence[AlertState], last_evaluation: float) -> Episode:
    """Return an episode with what Alertmanager did to it; it may know the alert under more labels."""
    firing = Interval(start=episode.start, end=episode.end or last_evaluation)
    mine = [state for state in states if state.has({**episode.labels, "alertname": episode.alert})]
    names = {state.fingerprint: state.labels.get("alertname", "") for state in states}
    sources = {source for state in mine if state.at <= firing.end for source in state.inhibited_by}
    return replace(
        episode,
        inhibited=_held(mine, lambda state: state.inhibited_by, firing),
        silenced=_held(mine, lambda state: state.silenced_by, firing),
        inhibited_by=tuple(sorted({names.get(source, source) for source in sources})),
    )


def _held(
    states: Iterable[AlertState], holds: Callable[[AlertState], tuple[str, ...]], firing: Interval
) -> tuple[Interval, ...]:
    """Return when Alertmanager held an alert back, within its episode.

    Alertmanager hears of an alert after its first evaluation, and we ask it every half second: an alert never seen
    otherwise counts as held from its first sample, one held until it left as held until its end.
    """
    since: dict[str, float] = {}
    known: set[str] = set()
    stretches = []
    for state in states:
        name, at = state.fingerprint, state.at
        if holds(state):
            at_once = name not in known and at >= firing.start
            since.setdefault(name, firing.start if at_once else at)
        elif name in since:
            end = max(at, firing.end) if state.gone and at >= firing.start else at
            stretches.append(Interval(start=since.pop(name), end=end))
        known.add(name)
        if state.gone:
            known.remove(name)
    stretches += [Interval(start=start, end=firing.end) for start in since.values() if start < firing.end]
    inside = [stretch.clipped(firing) for stretch in stretches]
    return tuple(sorted(stretch for stretch in inside if stretch.seconds > 0))
