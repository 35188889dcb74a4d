"""alerts/quiet: does nothing fire but what the drill expects?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from pydantic import Field

from tocsin.assertions.alerts_resolve import Resolve
from tocsin.harness.declarations.alert_timing import Fire
from tocsin.harness.declarations.check_arguments import AlertName, Args, Entry, PhaseName
from tocsin.harness.evidence.check_bounds import (
    fault_interval,
    format_alert,
    injected_fault,
    missed_evaluation_s,
    onset_bound,
    phase_interval,
    relief_bound,
    rounded,
    scope_interval,
)
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.stream_coverage import rules_failed
from tocsin.harness.judging.alert_check_helpers import alert_labels, watchdog_alert
from tocsin.harness.judging.check import Check, Evidence, Finding, Interval, failed, passed, unknown
from tocsin.harness.judging.wording import plural

LINGER_S = 600.0
"""Production seconds an expected alert may outlast its cause, unbounded by alerts/resolve; its `within` if longer."""


class Scope(Entry):
    """Alerts by name, by labels (others are free), or both."""

    alert: AlertName | None = None
    labels: Mapping[str, str] = {}

    def fits(self, series: Series) -> bool:
        """Tell whether a series of ALERTS is one of these alerts."""
        named = self.alert in (None, series.labels["alertname"])
        return named and self.labels.items() <= alert_labels(series).items()


class May(Scope):
    """An alert that may fire: by name, with labels (others are free), anywhere or in one phase."""

    alert: AlertName
    phase: PhaseName | None = Field(default=None, alias="in")


class Quiet(Args):
    """What else may fire: names, or {alert, labels, in}. Everything that an alerts/fire expects may fire anyway.

    `scope` limits the question to alerts that fit one of its entries; none: all of them.
    """

    may: tuple[AlertName | May, ...] = ()
    scope: tuple[AlertName | Scope, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Permit:
    """Alerts that may fire in an interval."""

    alerts: Scope
    when: Interval


@dataclass(frozen=True, kw_only=True)
class _Fired:
    """What fired: names of alerts that were expected or held back, and (first time, sentence) of all others."""

    expected: set[str] = field(default_factory=set)
    held_back: set[str] = field(default_factory=set)
    unexpected: list[tuple[float, str]] = field(default_factory=list)


def judge(evidence: Evidence, args: Quiet) -> Finding:
    """Look at every firing sample of the window, and of settle if the alert was active when play ended."""
    watchdog, place = watchdog_alert(evidence), scope_interval(evidence, args)
    every = evidence.metrics.select("ALERTS", alertstate="firing")
    beats = sum(len(_times(series, place)) for series in every if series.labels["alertname"] == watchdog)
    if not beats:
        return unknown("ALERTS holds no sample of the Watchdog, so its silence about other alerts means nothing.")
    scopes = list(_entries(args.scope, Scope))
    others = [series for series in every if series.labels["alertname"] != watchdog]
    judged = [series for series in others if not scopes or any(scope.fits(series) for scope in scopes)]
    fired = _sorted_out(evidence, judged, [*_expected(evidence), *_allowed(evidence, args)], place)
    count = len(fired.expected | fired.held_back)
    if fired.unexpected:
        sentences = "; ".join(sentence for _, sentence in sorted(fired.unexpected))
        story = f"{plural(len(fired.unexpected), 'alert')} fired that nothing expects: {sentences}."
        return failed(story, unexpected=len(fired.unexpected), expected=count)
    broken = rules_failed(evidence, place)
    if broken:
        return unknown(f"{broken}, so their silence means nothing.")
    return passed(f"{_calm(args, fired)} ({beats} evaluations).", expected=count, evaluations=beats)


def _sorted_out(evidence: Evidence, every: Iterable[Series], permits: Sequence[_Permit], place: Interval) -> _Fired:
    fired = _Fired()
    for series in every:
        times = _times(series, _reach(evidence, series, place))
        unexpected = _outside(times, [permit.when for permit in permits if permit.alerts.fits(series)])
        loud = _outside(unexpected, _held_back(evidence, series))
        if len(loud):
            fired.unexpected.append((float(loud[0]), _sentence(evidence, series, loud)))
        elif len(unexpected):
            fired.held_back.add(series.labels["alertname"])
        elif len(times):
            fired.expected.add(series.labels["alertname"])
    return fired


def _calm(args: Quiet, fired: _Fired) -> str:
    """Say what fired rightly: what was expected or allowed, and what Alertmanager held back."""
    expected = "Only what is expected fired: " + ", ".join(sorted(fired.expected))
    if args.may:
        expected = expected.replace("is expected", "is expected or allowed")
    held_back = "silenced or inhibited: " + ", ".join(sorted(fired.held_back))
    if fired.expected and fired.held_back:
        return f"{expected}; {held_back}"
    if fired.expected:
        return expected
    if fired.held_back:
        return f"Only what was {held_back.replace(':', ' fired:', 1)}"
    return "No alert in scope fired" if args.scope else "No alert fired"


def _times(series: Series, place: Interval) -> np.ndarray:
    return series.t[(series.t >= place.start) & (series.t <= place.end) & (series.v > 0)]


def _reach(evidence: Evidence, series: Series, place: Interval) -> Interval:
    """Return the window, up to the end of settle if the alert, pending or firing, was active when play ended."""
    settled = evidence.facts("settled")
    play = phase_interval(evidence, None)
    if place.end < play.end or not settled:
        return place
    last = Interval(start=play.end - missed_evaluation_s(evidence, series.labels["alertname"]), end=play.end)
    same = {name: value for name, value in series.labels.items() if name not in ("__name__", "alertstate")}
    if any(len(_times(state, last)) for state in evidence.metrics.select("ALERTS", **same)):
        return Interval(start=place.start, end=settled[-1].at)
    return place


def _held_back(evidence: Evidence, series: Series) -> list[Interval]:
    """Return when Alertmanager silenced or inhibited exactly this alert."""
    labels = alert_labels(series)
    episodes = evidence.alerts.episodes(series.labels["alertname"], labels)
    same = [episode for episode in episodes if episode.labels == labels]
    return [interval for episode in same for interval in (*episode.silenced, *episode.inhibited)]


def _outside(times: np.ndarray, excuses: Iterable[Interval]) -> np.ndarray:
    for excuse in excuses:
        times = times[(times < excuse.start) | (times > excuse.end)]
    return times


_Scope = TypeVar("_Scope", bound=Scope)


def _entries(entries: Iterable[str | _Scope], model: type[_Scope]) -> Iterator[_Scope]:
    """Yield the entries, one that is a name alone as the alert of that name."""
    for entry in entries:
        if isinstance(entry, str):
            yield model(alert=entry)
        else:
            yield entry


def _allowed(evidence: Evidence, args: Quiet) -> Iterator[_Permit]:
    """Yield what `may` permits; one without a phase, anywhere."""
    for may in _entries(args.may, May):
        when = Interval(start=-np.inf, end=np.inf)
        if may.phase:
            when = phase_interval(evidence, may.phase)
        yield _Permit(alerts=may, when=when)


def _expected(evidence: Evidence) -> Iterator[_Permit]:
    """Yield what each alerts/fire of the scenario permits, from its cause to the end of its alerts/resolve."""
    expect = evidence.scenario.expect
    resolves = [line.arguments(Resolve) for line in expect if line.check == "alerts/resolve"]
    for fire in [line.arguments(Fire) for line in expect if line.check == "alerts/fire"]:
        start = onset_bound(evidence, fire).begun
        when = Interval(start=start, end=_until(evidence, fire, start, resolves))
        yield _Permit(alerts=Scope(alert=fire.alert, labels=fire.labels), when=when)


def _until(evidence: Evidence, fire: Fire, start: float, resolves: Sequence[Resolve]) -> float:
    """Return the deadline of the first alerts/resolve that speaks of the same alert after `start`, else linger."""
    bounds = []
    for resolve in resolves:
        clash = any(resolve.labels.get(name, value) != value for name, value in fire.labels.items())
        unseen = resolve.during is not None and injected_fault(evidence, resolve.during).gone_at is None
        if resolve.alert == fire.alert and not clash and not unseen:
            bounds.append(relief_bound(evidence, resolve))
    later = [bound for bound in bounds if bound.since >= start]
    if later:
        first = min(bound.since for bound in later)
        return max(bound.deadline for bound in later if bound.since == first)
    fixed_s = sum(onset_bound(evidence, fire).fixed_s.values())
    return _cause_end(evidence, fire) + (max(LINGER_S, fire.within) + fixed_s) / evidence.speed


def _cause_end(evidence: Evidence, fire: Fire) -> float:
    if fire.during is not None:
        active = fault_interval(evidence, injected_fault(evidence, fire.during))
        if active is not None:
            return active.end
    return phase_interval(evidence, fire.phase).end


def _sentence(evidence: Evidence, series: Series, loud: np.ndarray) -> str:
    first, last = float(loud[0]), float(loud[-1])
    at_s = (first - phase_interval(evidence, None).start) * evidence.speed
    phases = [name for name, interval in evidence.phases.items() if interval.start <= first <= interval.end]
    where = ["settle", *phases][-1]
    name = format_alert(series.labels["alertname"], alert_labels(series))
    return f"{name} from {rounded(at_s)} s (in {where}) for {rounded((last - first) * evidence.speed)} s"


CHECK = Check(
    summary="Nothing fires but what an alerts/fire of the drill expects, is silenced, inhibited or listed in `may`.",
    args=Quiet,
    judge=judge,
    streams=("alerts",),
    files=("metrics/", "alerts.jsonl"),
)
