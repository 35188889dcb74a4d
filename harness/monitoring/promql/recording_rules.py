"""What rules tell about the metrics of one another: which are recorded, from what, and which are counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tocsin.harness.monitoring.promql.expression import Node, NotCompressible, parse, walk
from tocsin.harness.monitoring.promql.function_table import RATES


def recorded(groups: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the name of every recording rule with its expressions, each once."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in (rule for group in groups for rule in group.get("rules") or ()):
        if "record" in rule:
            name, expr = str(rule["record"]), str(rule.get("expr", ""))
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), expr)))
    return found


def read_as_counters(exprs: Iterable[str]) -> frozenset[str]:
    """Return the metrics that expressions read as counters, whatever their names say; what cannot be parsed, none."""
    found: set[str] = set()
    for expr in exprs:
        try:
            nodes = list(walk(parse(expr)))
        except NotCompressible:
            continue
        for node in nodes:
            if node.kind == "call" and node.name in RATES:
                found |= {one.name for one in node.parts[0].parts if one.kind == "selector"}
    return frozenset(found)


def inlined(node: Node, known: Mapping[str, tuple[str, ...]], depth: int = 5) -> Node:
    """Return a tree in which every recorded name that has one expression stands for that expression, `depth` deep."""
    exprs = known.get(node.name, ()) if node.kind == "selector" else ()
    if len(exprs) == 1 and depth:
        try:
            return inlined(parse(exprs[0]), known, depth - 1)
        except NotCompressible:
            return node
    parts = tuple(inlined(part, known, depth) for part in node.parts)
    return node if parts == node.parts else replace(node, parts=parts)
