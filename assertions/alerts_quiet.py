"""alerts/quiet: does nothing fire but what the drill expects?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tocsin.assertions.alerts_resolve import Resolve
from tocsin.harness.declarations.alert_plan import Fire
from tocsin.harness.declarations.references import AlertName, Args, PhaseName
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
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.evidence.stream_coverage import rules_failed
from tocsin.harness.judging.check import Check, Finding, failed, passed, unknown

LINGER_S = 600.0
"""Production seconds an expected alert may outlast its cause, unbounded by alerts/resolve; its `within` if longer."""

_OWN = ("__name__", "alertname", "alertstate")


class May(BaseModel):
    """An alert that may fire: by name, with labels (others are free), anywhere or in one phase."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alert: AlertName
    labels: Mapping[str, str] = {}
    phase: PhaseName | None = Field(default=None, alias="in")


class Scope(BaseModel):
    """Alerts that the closed world is about: by name, by labels, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alert: AlertName | None = None
    labels: Mapping[str, str] = {}


class Quiet(Args):
    """What else may fire: names, or {alert, labels, in}. Everything that an alerts/fire expects may fire anyway.

    `scope` limits the question to alerts that fit one of its entries; none: all of them.
    """

    may: tuple[AlertName | May, ...] = ()
    scope: tuple[AlertName | Scope, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Permit:
    alert: str
    labels: Mapping[str, str]
    when: Interval


def judge(evidence: Evidence, args: Quiet) -> Finding:
    """Look at every firing sample of the window, and of settle if the alert was active when play ended."""
    watchdog = evidence.signals.watchdog.alert if evidence.signals.watchdog else ""
    place = scope_interval(evidence, args)
    beats = sum(len(_within(one, place)) for one in _firing(evidence) if one.labels["alertname"] == watchdog)
    if not beats:
        return unknown("ALERTS holds no sample of the Watchdog, so its silence about other alerts means nothing.")
    permits = [*_expected(evidence), *_allowed(evidence, args)]
    offences: list[tuple[float, str]] = []
    expected: set[str] = set()
    held: set[str] = set()
    for series in _firing(evidence):
        if series.labels["alertname"] == watchdog or not _in_scope(args, series):
            continue
        times = _within(series, _reach(evidence, series, place))
        unexpected = _outside(times, _permitted(series, permits))
        loud = _outside(unexpected, _held(evidence, series))
        if len(loud):
            offences.append((float(loud[0]), _sentence(evidence, series, loud)))
        elif len(times):
            (held if len(unexpected) else expected).add(series.labels["alertname"])
    if offences:
        told = "; ".join(text for _, text in sorted(offences))
        count = f"{len(offences)} alert{'s' * (len(offences) > 1)} fired that nothing expects"
        return failed(f"{count}: {told}.", unexpected=len(offences), expected=len(expected | held))
    broken = rules_failed(evidence, place)
    if broken:
        return unknown(f"{broken}, so their silence means nothing.")
    return passed(_calm(args, expected, held, beats), expected=len(expected | held), evaluations=beats)


def _in_scope(args: Quiet, series: Series) -> bool:
    name, labels = series.labels["alertname"], _labels(series)
    scopes = [Scope(alert=one) if isinstance(one, str) else one for one in args.scope]
    return not scopes or any(one.alert in (None, name) and one.labels.items() <= labels.items() for one in scopes)


def _calm(args: Quiet, expected: set[str], held: set[str], beats: int) -> str:
    """Say what fired rightly: what was expected or allowed, and what Alertmanager held back."""
    what = "expected or allowed" if args.may else "expected"
    parts = [f"Only what is {what} fired: {', '.join(sorted(expected))}"] if expected else []
    if held:
        quiet = "silenced or inhibited" if expected else "Only what was silenced or inhibited fired"
        parts.append(f"{quiet}: {', '.join(sorted(held))}")
    where = " in scope" if args.scope else ""
    return f"{'; '.join(parts) or f'No alert{where} fired'} ({beats} evaluations)."


def _firing(evidence: Evidence) -> list[Series]:
    return evidence.metrics.select("ALERTS", alertstate="firing")


def _within(series: Series, place: Interval) -> np.ndarray:
    return series.t[(series.t >= place.start) & (series.t <= place.end) & (series.v > 0)]


def _reach(evidence: Evidence, series: Series, place: Interval) -> Interval:
    """Return the window, up to the end of settle if the alert, pending or firing, was active when play ended."""
    settled = evidence.facts("settled")
    play = phase_interval(evidence, None)
    if place.end < play.end or not settled:
        return place
    last = Interval(start=play.end - missed_evaluation_s(evidence, series.labels["alertname"]), end=play.end)
    same = {name: value for name, value in series.labels.items() if name not in ("__name__", "alertstate")}
    active_at_end = any(len(_within(one, last)) for one in evidence.metrics.select("ALERTS", **same))
    return Interval(start=place.start, end=settled[-1].at) if active_at_end else place


def _permitted(series: Series, permits: list[_Permit]) -> list[Interval]:
    name, labels = series.labels["alertname"], _labels(series)
    return [one.when for one in permits if one.alert == name and one.labels.items() <= labels.items()]


def _held(evidence: Evidence, series: Series) -> list[Interval]:
    """Return when Alertmanager silenced or inhibited exactly this alert."""
    labels = _labels(series)
    episodes = [one for one in evidence.alerts.episodes(series.labels["alertname"], labels) if one.labels == labels]
    return [when for one in episodes for when in (*one.silenced, *one.inhibited)]


def _outside(times: np.ndarray, excuses: list[Interval]) -> np.ndarray:
    for excuse in excuses:
        times = times[(times < excuse.start) | (times > excuse.end)]
    return times


def _allowed(evidence: Evidence, args: Quiet) -> list[_Permit]:
    """Return what `may` permits; one without a phase, anywhere."""
    anywhere = Interval(start=-np.inf, end=np.inf)
    permits = []
    for one in args.may:
        may = May(alert=one) if isinstance(one, str) else one
        when = phase_interval(evidence, may.phase) if may.phase else anywhere
        permits.append(_Permit(alert=may.alert, labels=may.labels, when=when))
    return permits


def _expected(evidence: Evidence) -> list[_Permit]:
    """Return what each alerts/fire of the scenario permits, from its cause to the end of its alerts/resolve."""
    expect = evidence.scenario.expect
    resolves = [Resolve.model_validate(one.args) for one in expect if one.check == "alerts/resolve"]
    permits = []
    for fire in (Fire.model_validate(one.args) for one in expect if one.check == "alerts/fire"):
        start = onset_bound(evidence, fire).begun
        when = Interval(start=start, end=_until(evidence, fire, start, resolves))
        permits.append(_Permit(alert=fire.alert, labels=fire.labels, when=when))
    return permits


def _until(evidence: Evidence, fire: Fire, start: float, resolves: list[Resolve]) -> float:
    """Return the deadline of the first alerts/resolve that speaks of the same alert after `start`, else linger."""
    bounds = []
    for one in resolves:
        clash = any(one.labels.get(name, value) != value for name, value in fire.labels.items())
        unseen = one.during is not None and injected_fault(evidence, one.during).gone_at is None
        if one.alert == fire.alert and not clash and not unseen:
            bounds.append(relief_bound(evidence, one))
    later = [one for one in bounds if one.since >= start]
    if later:
        first = min(one.since for one in later)
        return max(one.deadline for one in later if one.since == first)
    fixed_s = sum(onset_bound(evidence, fire).fixed_s.values())
    return _cause_end(evidence, fire) + (max(LINGER_S, fire.within) + fixed_s) / evidence.speed


def _cause_end(evidence: Evidence, fire: Fire) -> float:
    place = None if fire.during is None else fault_interval(evidence, injected_fault(evidence, fire.during))
    return (place or phase_interval(evidence, fire.phase)).end


def _sentence(evidence: Evidence, series: Series, loud: np.ndarray) -> str:
    first, last = float(loud[0]), float(loud[-1])
    play = phase_interval(evidence, None)
    phases = [name for name, when in evidence.phases.items() if when.start <= first <= when.end]
    where = f"in {phases[-1]}" if phases else "in settle"
    at_s, for_s = (first - play.start) * evidence.speed, (last - first) * evidence.speed
    name = format_alert(series.labels["alertname"], _labels(series))
    return f"{name} from {rounded(at_s)} s ({where}) for {rounded(for_s)} s"


def _labels(series: Series) -> dict[str, str]:
    return {name: value for name, value in series.labels.items() if name not in _OWN}


CHECK = Check(
    id="alerts/quiet",
    summary="Nothing fires but what an alerts/fire of the drill expects, is silenced, inhibited or listed in `may`.",
    args=Quiet,
    judge=judge,
    streams=("alerts",),
    files=("metrics/", "alerts.jsonl"),
)
