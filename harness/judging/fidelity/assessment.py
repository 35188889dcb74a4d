"""Fidelity: would every alert of a compressed run have fired, ended and stayed silent so in production?

The raw samples of a run are stretched back to production time (`fidelity_stretch`) and given to promtool with the
original rules (`fidelity_oracle`); a rule over promtool's cap goes to the real Prometheus (`fidelity_blocks`). What
they say is compared with the run's own ALERTS (`fidelity_compare`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.judging.fidelity.comparison import Pair, compare, filled, without_start
from tocsin.harness.judging.fidelity.exemptions import away, exemption, starts
from tocsin.harness.judging.fidelity.promtool_oracle import FIRING, NONE, PENDING, Labels, Promtool
from tocsin.harness.judging.fidelity.rule_groups import EVERYTHING, Group, names_in, needed_by, original_groups
from tocsin.harness.judging.fidelity.scrape_timeouts import doubts
from tocsin.harness.judging.fidelity.stretched_samples import Stretched, stretched
from tocsin.harness.monitoring.promql.rewrites import Scales

UNSHOWN = 2
"""Prometheus shows no ALERTS at its first two evaluations after a start: it restores what was pending before, first."""
Fallback = Callable[[Group, str, Sequence[Stretched], int], Mapping[Labels, np.ndarray]]
"""(group, alert, series, evaluations) -> states: what answers for a rule over promtool's cap."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One alert's stretch of firing, live and by the oracle; both None: silent. Epoch seconds of the run.

    Pair's times are production seconds from the group's first evaluation, which was at `origin`.
    """

    alert: str
    labels: Mapping[str, str]
    group: str
    oracle: str
    origin: float
    tolerance_s: float
    pair: Pair


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """What became of every alert of a run. `silent` fired on neither side; `untold` says what nobody can tell."""

    rows: tuple[Row, ...]
    silent: tuple[str, ...]
    untold: tuple[str, ...] = ()
    oracles: Mapping[str, str] = field(default_factory=dict)
    """Alert -> which oracle answered for it."""

    @property
    def different(self) -> tuple[Row, ...]:
        """The rows that are not faithful."""
        return tuple(row for row in self.rows if row.pair.verdict == "different")


@dataclass(frozen=True, kw_only=True)
class _Live:
    """One group as it ran: when it was evaluated, on a grid of exact intervals from `origin`."""

    origin: float
    seen: np.ndarray
    aligned: bool
    tracks: Mapping[Labels, np.ndarray]


def examine(evidence: Evidence, promtool: Path, fallback: Fallback | None = None) -> Fidelity:
    """Compare every alert of a run with the oracle; EvidenceError if the run lacks what that needs."""
    groups = original_groups(evidence)
    if not evidence.metrics.select("ALERTS") and not evidence.metrics.select("eval_ts"):
        raise EvidenceError(f"{evidence.folder} holds no evaluation of a rule.")
    rows: list[Row] = []
    untold: list[str] = []
    oracles: dict[str, str] = {}
    for group in groups:
        if not group.alerts:
            continue
        try:
            found, named = _group(evidence, group, groups, promtool, fallback)
        except EvidenceError as error:
            untold.append(f"{', '.join(group.alerts)}: {error}")
            continue
        rows += found
        oracles |= named
        untold += doubts(evidence, group, found)
    untold += _foreign(evidence, groups)
    fired = {row.alert for row in rows}
    silent = tuple(name for name in oracles if name not in fired)
    rows.sort(key=lambda row: row.origin + _start(row) / evidence.speed)
    return Fidelity(rows=tuple(rows), silent=silent, untold=tuple(untold), oracles=oracles)


def _foreign(evidence: Evidence, groups: Sequence[Group]) -> list[str]:
    """Return a sentence for every alert that fired in the run and that no original rule is named like."""
    known = {name for group in groups for name in group.alerts}
    fired = {one.labels.get("alertname", "") for one in evidence.metrics.select("ALERTS", alertstate="firing")}
    return [f"{name}: it fired in the run, and no original rule has its name." for name in sorted(fired - known)]


def _start(row: Row) -> float:
    one = row.pair.live or row.pair.oracle
    return one.start if one else 0.0


def _group(
    evidence: Evidence, group: Group, groups: Sequence[Group], promtool: Path, fallback: Fallback | None
) -> tuple[list[Row], dict[str, str]]:
    live = _lived(evidence, group, [one for one in groups if one is not group])
    needed = needed_by(group, groups)
    series = _inputs(evidence, needed, live.origin)
    with tempfile.TemporaryDirectory(prefix="tocsin-fidelity-") as work:
        told = Promtool(program=promtool, work=Path(work)).ask(group, needed, series, len(live.seen))
    over = told.over_cap & set(group.alerts)
    if lost := told.over_cap - over:
        raise EvidenceError(f"it rests on {', '.join(sorted(lost))}, whose recording is over promtool's cap.")
    tracks = dict(told.tracks)
    oracles = {name: "promtool" for name in group.alerts if name not in over}
    for name in sorted(over):
        tracks |= _asked_elsewhere(evidence, group, groups, name, live, fallback)
        oracles[name] = "Prometheus on backfilled blocks"
    return list(_rows(evidence, group, live, tracks, oracles)), oracles


def _asked_elsewhere(
    evidence: Evidence, group: Group, groups: Sequence[Group], name: str, live: _Live, fallback: Fallback | None
) -> Mapping[Labels, np.ndarray]:
    """Ask the fallback for an alert over promtool's cap; it knows raw samples only, no recordings."""
    if fallback is None:
        raise EvidenceError("promtool allows no query of so many samples, and nothing else was there to ask.")
    reads = frozenset().union(*(names_in(str(rule["expr"])) for rule in group.rules if rule.get("alert") == name))
    if recordings := reads & frozenset().union(*(one.records for one in groups)):
        raise EvidenceError(f"{name} is over promtool's cap and reads {', '.join(sorted(recordings))}, a recording.")
    return fallback(group, name, _inputs(evidence, [group], live.origin), len(live.seen))


def _inputs(evidence: Evidence, needed: Iterable[Group], origin: float) -> list[Stretched]:
    """Return the stretched samples these groups read; what one of them records is for the oracle to make."""
    needed = list(needed)
    own = frozenset().union(*(one.records for one in needed))
    reads = frozenset().union(*(one.reads for one in needed))
    names = evidence.metrics.names() if EVERYTHING in reads else reads
    scales = _scales(evidence)
    return stretched(evidence.metrics, set(names) - own, origin=origin, speed=evidence.speed, scales=scales)


def _scales(evidence: Evidence) -> Scales:
    declared = evidence.run.get("scales", {})
    ages, moments, events = (tuple(declared.get(kind, ())) for kind in ("ages", "moments", "events"))
    return Scales(ages=ages, moments=moments, events=events)


def _lived(evidence: Evidence, group: Group, others: Sequence[Group]) -> _Live:
    """Return the group's evaluations and the states of its alerts; without `eval_ts`, from its alerts' samples."""
    times = _evaluated(evidence, group)
    mine = [one for one in evidence.metrics.select("ALERTS") if one.labels.get("alertname") in group.alerts]
    shared = {name for other in others for name in other.alerts}
    mine = [one for one in mine if one.labels["alertname"] not in shared or _of(group, one)]
    aligned = len(times) > 0
    if not aligned:
        times = np.unique(np.concatenate([one.t for one in mine])) if mine else _all_evaluations(evidence)
    step = group.interval_s / evidence.speed
    places = np.round((times - times[0]) / step).astype(int)
    seen = np.zeros(places[-1] + 1, dtype=bool)
    seen[places] = True
    if not aligned:
        seen[:] = True  # silence is no missed evaluation
    for start in starts(evidence):
        seen[places[times >= start.start][:UNSHOWN]] = False
    tracks: dict[Labels, np.ndarray] = {}
    for one in mine:
        labels = frozenset((k, v) for k, v in one.labels.items() if k not in ("__name__", "alertstate"))
        track = tracks.setdefault(labels, np.zeros(len(seen), dtype=np.int8))
        state = FIRING if one.labels.get("alertstate") == "firing" else PENDING
        at = np.round((one.t - times[0]) / step).astype(int)
        track[at[(at >= 0) & (at < len(track))]] = state
    return _Live(origin=float(times[0]), seen=seen, aligned=aligned, tracks=tracks)


def _evaluated(evidence: Evidence, group: Group) -> np.ndarray:
    """Return when a group was evaluated, from its recording `eval_ts`; empty if it has none."""
    marks = [rule for rule in group.rules if rule.get("record") == "eval_ts"]
    for mark in marks:
        labels = {str(key): str(value) for key, value in (mark.get("labels") or {}).items()}
        found = [one for one in evidence.metrics.select("eval_ts", **labels) if len(one.labels) == len(labels) + 1]
        if len(found) == 1:
            return found[0].t[:-1]  # the last one may have been recorded half
    return np.empty(0)


def _all_evaluations(evidence: Evidence) -> np.ndarray:
    shown = [*evidence.metrics.select("ALERTS"), *evidence.metrics.select("eval_ts")]
    times = np.unique(np.concatenate([one.t for one in shown]))
    return times[[0, -1]]


def _of(group: Group, series: Series) -> bool:
    """Tell whether a sample of ALERTS may come from this group: it carries the plain labels of one of its rules."""
    for rule in group.rules:
        if rule.get("alert") == series.labels.get("alertname"):
            plain = {key: str(v) for key, v in (rule.get("labels") or {}).items() if "{{" not in str(v)}
            if plain.items() <= series.labels.items():
                return True
    return False


def _rows(
    evidence: Evidence, group: Group, live: _Live, tracks: Mapping[Labels, np.ndarray], oracles: Mapping[str, str]
) -> Iterable[Row]:
    scrape_s = float(evidence.run["scrape_interval_s"])
    tolerance_s = scrape_s if live.aligned else scrape_s + group.interval_s
    nothing = np.full(len(live.seen), NONE, dtype=np.int8)
    gone = [_in_production(one, live.origin, evidence.speed) for one in away(evidence)]
    for labels in sorted({*live.tracks, *tracks}, key=sorted):
        name = dict(labels)["alertname"]
        seen = without_start(filled(live.tracks.get(labels, nothing), live.seen), UNSHOWN)
        due = without_start(tracks.get(labels, nothing), UNSHOWN)
        for pair in compare(seen, due, interval_s=group.interval_s, tolerance_s=tolerance_s):
            if pair.verdict == "different":
                reason = exemption(group, name, pair, gone, tolerance_s)
                pair = replace(pair, verdict="exempt", reason=f"{pair.reason}; {reason}") if reason else pair
            yield Row(
                alert=name,
                labels={key: value for key, value in sorted(labels) if key != "alertname"},
                group=group.name,
                oracle=oracles.get(name, "promtool"),
                origin=live.origin,
                tolerance_s=tolerance_s,
                pair=pair,
            )


def _in_production(one: Interval, origin: float, speed: float) -> tuple[float, float]:
    return (one.start - origin) * speed, (one.end - origin) * speed
