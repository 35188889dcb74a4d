"""What rules tell about the metrics of one another: which are recorded, from what, and which are counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tocsin.harness.monitoring.promql.expression import Node, parse_or_none, walk
from tocsin.harness.monitoring.promql.function_table import RATES
from tocsin.harness.monitoring.promql.rule_files import RuleGroup


def recorded(groups: Iterable[RuleGroup]) -> dict[str, tuple[str, ...]]:
    """Return the name of every recording rule with its expressions, each once."""
    exprs: dict[str, tuple[str, ...]] = {}
    for group in groups:
        for rule in group.rules:
            if rule.name and not rule.alerting:
                exprs[rule.name] = tuple(dict.fromkeys((*exprs.get(rule.name, ()), rule.expr)))
    return exprs


def read_as_counters(exprs: Iterable[str]) -> frozenset[str]:
    """Return the metrics that expressions read as counters, whatever their names say; what cannot be parsed, none."""
    nodes = [node for expr in exprs if (node := parse_or_none(expr)) is not None]
    rates = [part for node in nodes for part in walk(node) if part.kind == "call" and part.name in RATES]
    windows = [rate.parts[0] for rate in rates]
    return frozenset(selector.name for window in windows for selector in window.parts if selector.kind == "selector")


def inlined(node: Node, known: Mapping[str, tuple[str, ...]], depth: int = 5) -> Node:
    """Return a tree in which every recorded name that has one expression stands for that expression, `depth` deep."""
    exprs = known.get(node.name, ()) if node.kind == "selector" else ()
    if len(exprs) == 1 and depth:
        recorded_from = parse_or_none(exprs[0])
        return node if recorded_from is None else inlined(recorded_from, known, depth - 1)
    parts = tuple(inlined(part, known, depth) for part in node.parts)
    return node if parts == node.parts else replace(node, parts=parts)
