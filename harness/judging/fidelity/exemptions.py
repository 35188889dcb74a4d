"""Which differences say nothing about a speed: those bound to a restart of Prometheus, or to a number of requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tocsin.harness.evidence.evidence import Evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.rule_windows import longest_window_s
from tocsin.harness.judging.fidelity.comparison import Pair
from tocsin.harness.judging.fidelity.rule_groups import Group, Rule, waits_s
from tocsin.harness.monitoring.promql.expression import COMPARISONS, Node, parse

PROMETHEUS = "prometheus"
"""The role that evaluates the rules."""
_HOLE = 3.2
"""So many evaluation intervals without an evaluation of any rule: Prometheus was away."""


def starts(evidence: Evidence) -> list[Interval]:
    """Return every start of Prometheus after its first: from its process's start until it scrapes again."""
    healthy = [fact for fact in evidence.facts("role_healthy") if fact.more.get("role") == PROMETHEUS]
    fixed_s = float(evidence.run["fixed_s"].get(PROMETHEUS, 0.0))
    begun = [fact.at - float(fact.more.get("took_s", 0.0)) for fact in healthy]
    return [Interval(start=at, end=fact.at + fixed_s) for at, fact in zip(begun, healthy, strict=True)][1:]


def all_evaluations(evidence: Evidence) -> np.ndarray:
    """Return when any rule was seen to be evaluated, ascending."""
    shown = [*evidence.metrics.select("eval_ts"), *evidence.metrics.select("ALERTS")]
    return np.unique(np.concatenate([np.empty(0), *(series.t for series in shown)]))


def away(evidence: Evidence) -> list[Interval]:
    """Return when Prometheus started anew, or evaluated no rule for longer than a missed evaluation explains."""
    times = all_evaluations(evidence)
    longest = _HOLE * float(evidence.run["evaluation_interval_s"]) / evidence.speed
    places = np.flatnonzero(np.diff(times) > longest)
    holes = [Interval(start=float(times[at]), end=float(times[at + 1])) for at in places]
    return holes + starts(evidence)


def exemption(group: Group, alert: str, pair: Pair, gone: Sequence[tuple[float, float]], tolerance_s: float) -> str:
    """Return why a difference of this alert is exempt, empty if it is not. `gone`: production seconds from the origin.

    After a restart, Prometheus restores what was pending by rules of its own, and its windows hold a hole that the
    first scrape (about 5 s after every start, whatever the speed) makes K times longer in production time.
    """
    rules = group.rules_of(alert)
    reach_s = tolerance_s + max(map(memory_s, rules), default=0.0)
    sides = [side for side in (pair.live, pair.oracle) if side is not None]
    times = [at for side in sides for at in (side.start, side.end) if at is not None]
    for start, end in gone:
        if any(start - tolerance_s <= at <= end + reach_s for at in times):
            return f"it is bound to the restart of Prometheus, which did not see the targets for {end - start:.0f} s"
    for rule in rules:
        for counter in _compared_counters(parse(str(rule["expr"])), compared=False):
            return f"it compares the counter {counter} itself, and K times fewer requests were sent"
    return ""


def memory_s(rule: Rule) -> float:
    """Return how many production seconds of the past a rule's state rests on: its windows, and what it waits."""
    return longest_window_s(str(rule["expr"])) + sum(waits_s(rule))


def _compared_counters(node: Node, *, compared: bool) -> Iterator[str]:
    """Yield the counters that an expression compares as they are, without a rate."""
    if node.kind == "selector" and compared and node.name.endswith(("_total", "_count", "_sum", "_bucket")):
        yield node.name
    if node.kind == "window":
        return
    compared = compared or (node.kind == "binary" and node.name in COMPARISONS)
    for part in node.parts:
        yield from _compared_counters(part, compared=compared)
