"""Fidelity: would every alert of a compressed run have fired, ended and stayed silent so in production?

The raw samples of a run are stretched back to production time (`stretched_samples`) and given to promtool with the
original rules (`promtool_oracle`); a rule over promtool's cap goes to the real Prometheus (`prometheus_blocks`). What
they say is compared with the run's own ALERTS (`comparison`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tocsin.harness.core.errors import EvidenceError
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.metrics import Series
from tocsin.harness.judging.fidelity.comparison import Row, compare, filled, without_start
from tocsin.harness.judging.fidelity.exemptions import all_evaluations, away, exemption, starts
from tocsin.harness.judging.fidelity.promtool_oracle import NONE, PENDING, STATES, Labels, Promtool
from tocsin.harness.judging.fidelity.rule_groups import EVERYTHING, Group, labels_of, needed_by, original_groups, reads
from tocsin.harness.judging.fidelity.scrape_timeouts import doubts
from tocsin.harness.judging.fidelity.stretched_samples import Stretched, stretched
from tocsin.harness.monitoring.promql.compression_analysis import Scales

UNSHOWN = 2
"""Prometheus shows no ALERTS at its first two evaluations after a start: it restores what was pending before, first."""
Fallback = Callable[[Group, str, Sequence[Stretched], int], Mapping[Labels, np.ndarray]]
"""(group, alert, series, evaluations) -> states: what answers for a rule over promtool's cap."""


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
            of_group, named = _group(evidence, group, groups, promtool, fallback)
        except EvidenceError as error:
            untold.append(f"{', '.join(group.alerts)}: {error}")
            continue
        rows += of_group
        oracles |= named
        untold += doubts(evidence, group, of_group)
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
    sides = [side.start for side in (row.pair.live, row.pair.oracle) if side is not None]
    return [*sides, 0.0][0]


def _group(
    evidence: Evidence, group: Group, groups: Sequence[Group], promtool: Path, fallback: Fallback | None
) -> tuple[list[Row], dict[str, str]]:
    live = _lived(evidence, group, [one for one in groups if one is not group])
    needed = needed_by(group, groups)
    series = _inputs(evidence, needed, live.origin)
    with tempfile.TemporaryDirectory(prefix="tocsin-fidelity-") as work:
        answer = Promtool(program=promtool, work=Path(work)).ask(group, needed, series, len(live.seen))
    over = answer.over_cap & set(group.alerts)
    lost = answer.over_cap - over
    if lost:
        raise EvidenceError(f"it rests on {', '.join(sorted(lost))}, whose recording is over promtool's cap.")
    tracks = dict(answer.tracks)
    oracles = {name: "promtool" for name in group.alerts if name not in over}
    for name in sorted(over):
        tracks |= _ask_fallback(evidence, group, groups, name, live, fallback)
        oracles[name] = "Prometheus on backfilled blocks"
    return list(_rows(evidence, group, live, tracks, oracles)), oracles


def _ask_fallback(
    evidence: Evidence, group: Group, groups: Sequence[Group], name: str, live: _Live, fallback: Fallback | None
) -> Mapping[Labels, np.ndarray]:
    """Ask the fallback for an alert over promtool's cap; it knows raw samples only, no recordings."""
    if fallback is None:
        raise EvidenceError("promtool allows no query of so many samples, and nothing else was there to ask.")
    names = frozenset().union(*map(reads, group.rules_of(name)))
    recordings = names & frozenset().union(*(other.records for other in groups))
    if recordings:
        raise EvidenceError(f"{name} is over promtool's cap and reads {', '.join(sorted(recordings))}, a recording.")
    return fallback(group, name, _inputs(evidence, [group], live.origin), len(live.seen))


def _inputs(evidence: Evidence, needed: Sequence[Group], origin: float) -> list[Stretched]:
    """Return the stretched samples these groups read; what one of them records is for the oracle to make."""
    names = frozenset().union(*(group.reads for group in needed))
    if EVERYTHING in names:
        names = frozenset(evidence.metrics.names())
    recorded = frozenset().union(*(group.records for group in needed))
    declared = evidence.run.get("scales", {})
    ages, moments, events = (tuple(declared.get(kind, ())) for kind in ("ages", "moments", "events"))
    scales = Scales(ages=ages, moments=moments, events=events)
    return stretched(evidence.metrics, names - recorded, origin=origin, speed=evidence.speed, scales=scales)


def _lived(evidence: Evidence, group: Group, others: Sequence[Group]) -> _Live:
    """Return the group's evaluations and the states of its alerts; without `eval_ts`, from its alerts' samples."""
    times = _evaluated(evidence, group)
    shared = {name for other in others for name in other.alerts}
    own = [series for series in evidence.metrics.select("ALERTS") if series.labels.get("alertname") in group.alerts]
    own = [series for series in own if series.labels["alertname"] not in shared or _of(group, series)]
    aligned = len(times) > 0
    if not aligned:
        times = np.unique(np.concatenate([np.empty(0), *(series.t for series in own)]))
    if not len(times):
        times = all_evaluations(evidence)[[0, -1]]
    step = group.interval_s / evidence.speed
    places = np.round((times - times[0]) / step).astype(int)
    seen = np.full(places[-1] + 1, not aligned)  # without eval_ts, silence is no missed evaluation
    seen[places] = True
    for start in starts(evidence):
        seen[places[times >= start.start][:UNSHOWN]] = False
    tracks: dict[Labels, np.ndarray] = {}
    for series in own:
        labels = frozenset((k, v) for k, v in series.labels.items() if k not in ("__name__", "alertstate"))
        track = tracks.setdefault(labels, np.zeros(len(seen), dtype=np.int8))
        at = np.round((series.t - times[0]) / step).astype(int)
        at = at[(at >= 0) & (at < len(track))]
        track[at] = STATES.get(series.labels.get("alertstate", ""), PENDING)
    return _Live(origin=float(times[0]), seen=seen, aligned=aligned, tracks=tracks)


def _evaluated(evidence: Evidence, group: Group) -> np.ndarray:
    """Return when a group was evaluated, from its recording `eval_ts`; empty if it has none."""
    for rule in group.rules:
        if rule.get("record") == "eval_ts":
            labels = labels_of(rule)
            every = evidence.metrics.select("eval_ts", **labels)
            same = [series for series in every if len(series.labels) == len(labels) + 1]
            if len(same) == 1:
                return same[0].t[:-1]  # the last one may have been recorded half
    return np.empty(0)


def _of(group: Group, series: Series) -> bool:
    """Tell whether a sample of ALERTS may come from this group: it carries the plain labels of one of its rules."""
    for rule in group.rules_of(series.labels["alertname"]):
        plain = {key: value for key, value in labels_of(rule).items() if "{{" not in value}
        if plain.items() <= series.labels.items():
            return True
    return False


def _rows(
    evidence: Evidence, group: Group, live: _Live, tracks: Mapping[Labels, np.ndarray], oracles: Mapping[str, str]
) -> Iterable[Row]:
    tolerance_s = float(evidence.run["scrape_interval_s"])
    if not live.aligned:
        tolerance_s += group.interval_s
    nothing = np.full(len(live.seen), NONE, dtype=np.int8)
    gone = [((one.start - live.origin) * evidence.speed, (one.end - live.origin) * evidence.speed)
            for one in away(evidence)]  # fmt: skip
    for labels in sorted({*live.tracks, *tracks}, key=sorted):
        rule_labels = dict(sorted(labels))
        name = rule_labels.pop("alertname")
        seen = without_start(filled(live.tracks.get(labels, nothing), live.seen), UNSHOWN)
        due = without_start(tracks.get(labels, nothing), UNSHOWN)
        for pair in compare(seen, due, interval_s=group.interval_s, tolerance_s=tolerance_s):
            if pair.verdict == "different":
                reason = exemption(group, name, pair, gone, tolerance_s)
                if reason:
                    pair = replace(pair, verdict="exempt", reason=f"{pair.reason}; {reason}")
            yield Row(
                alert=name,
                labels=rule_labels,
                group=group.name,
                oracle=oracles.get(name, "promtool"),
                origin=live.origin,
                tolerance_s=tolerance_s,
                pair=pair,
            )
