"""Scrapes that were given up sooner than production would: a scrape may take no longer than the divided interval.

At speed 30 an interval of 15 s leaves half a second, where production waits for 10 s. A target that answers late on a
busy machine then counts as down, and an alert on `up` fires that production would not have seen. Nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tocsin.harness.evidence.check_bounds import fault_interval
from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.fidelity.comparison import Row
from tocsin.harness.judging.fidelity.exemptions import memory_s
from tocsin.harness.judging.fidelity.rule_groups import Group, reads

PRODUCTION_TIMEOUT_S = 10.0
"""Prometheus's default."""
_NEAR = 0.9
"""A scrape that failed after this part of the time it had was given up."""


def doubts(evidence: Evidence, group: Group, rows: Sequence[Row]) -> list[str]:
    """Return a sentence for every alert that fired on scrapes for which production has more time."""
    sentences = []
    for row in rows:
        live = row.pair.live
        if live is not None:
            span = (row.origin + live.start / evidence.speed, row.origin + live.end_by(math.inf) / evidence.speed)
            reason = doubtful(evidence, group, row.alert, row.labels, span)
            if reason:
                sentences.append(f"{row.alert}: {reason}.")
    return list(dict.fromkeys(sentences))


def given_up(evidence: Evidence) -> Iterator[tuple[Mapping[str, str], np.ndarray]]:
    """Yield (labels of a target, epoch seconds of its scrapes that were given up), apart from faults of its role."""
    longest_s = float(evidence.run["scrape_interval_s"]) / evidence.speed
    if evidence.speed == 1 or longest_s >= PRODUCTION_TIMEOUT_S:
        return
    for up in evidence.metrics.select("up"):
        labels = {key: value for key, value in up.labels.items() if key != "__name__"}
        durations = evidence.metrics.select("scrape_duration_seconds", **labels)
        if not durations:
            continue
        took = np.interp(up.t, durations[0].t, durations[0].v)
        late = up.t[(up.v == 0) & (took >= _NEAR * longest_s)]
        planned = _planned(evidence, evidence.run["jobs"].get(labels.get("job", ""), ""))
        times = np.array([at for at in late if not any(one.start <= at <= one.end for one in planned)])
        if len(times):
            yield labels, times


def _planned(evidence: Evidence, role: str) -> list[Interval]:
    """Return when a fault of the drill may have delayed the answers of a role: its own, or one inside the service."""
    spans = []
    for fault in evidence.faults.values():
        places = [str(fault.params[key]) for key in ("role", "edge") if key in fault.params]
        inside = not places and role == evidence.run.get("payload_role")
        span = fault_interval(evidence, fault)
        if span is not None and (inside or any(role in place.replace("->", " ").split() for place in places)):
            spans.append(span)
    return spans


def doubtful(
    evidence: Evidence, group: Group, alert: str, labels: Mapping[str, str], span: tuple[float, float]
) -> str | None:
    """Return why nobody can tell whether production would have seen an alert that fired in `span` (epoch seconds)."""
    rules = [rule for rule in group.rules_of(alert) if "up" in reads(rule)]
    if not rules:
        return None
    scrape_s = float(evidence.run["scrape_interval_s"])
    since = span[0] - (max(map(memory_s, rules)) + scrape_s) / evidence.speed
    for target, times in given_up(evidence):
        count = np.count_nonzero((times >= since) & (times <= span[1]))
        if count and all(target.get(key, value) == value for key, value in labels.items()):
            name = " ".join(target[key] for key in ("job", "instance") if key in target)
            had_s = scrape_s / evidence.speed
            return f"{count} scrapes of {name} were given up after {had_s:g} s, for which production has more time"
    return None
