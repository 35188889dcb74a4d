"""Rule files as values: groups, alerts as a plan knows them, and what rules tell of the metrics of one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.untyped_data import mapping, mappings, text, texts
from tocsin.harness.declarations.alert_timing import AlertRule
from tocsin.harness.monitoring.promql.expression import Node, metrics, parse_or_none, walk, windows_s
from tocsin.harness.monitoring.promql.function_table import RATES


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as its file writes it. `name` is the alert's, or the recorded metric's if not `alerting`."""

    name: str
    alerting: bool
    expr: str
    waits: str = "0s"
    """`for`, as written."""
    keeps_firing: str = "0s"
    """`keep_firing_for`, as written."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RuleGroup:
    """A group of rules. `interval` is as written, empty where the global one holds; `content` is what the file says."""

    name: str
    interval: str
    rules: tuple[Rule, ...]
    content: Mapping[str, object]

    @property
    def interval_s(self) -> float | None:
        """Seconds between two evaluations, None where the global interval holds."""
        return parse_duration(self.interval) if self.interval else None


def rule_groups(content: object) -> tuple[RuleGroup, ...]:
    """Return the groups of a rule file's content, none for any other YAML file."""
    groups = mappings(mapping(content).get("groups"))
    return tuple(
        RuleGroup(
            name=text(group.get("name")),
            interval=text(group.get("interval")),
            rules=tuple(_rule(rule) for rule in mappings(group.get("rules"))),
            content=group,
        )
        for group in groups
    )


def _rule(rule: Mapping[str, object]) -> Rule:
    return Rule(
        name=text(rule.get("alert") or rule.get("record")),
        alerting="alert" in rule,
        expr=text(rule.get("expr")),
        waits=text(rule.get("for")) or "0s",
        keeps_firing=text(rule.get("keep_firing_for")) or "0s",
        labels=texts(rule.get("labels")),
        annotations=texts(rule.get("annotations")),
    )


def alert_rules(group: RuleGroup, *, file: str, loaded: bool, evaluation_s: float) -> Iterator[AlertRule]:
    """Yield the alerts of a group; an expression that is no PromQL has no metrics and no windows."""
    for rule in group.rules:
        if rule.alerting:
            node = parse_or_none(rule.expr) or Node(kind="text")
            yield AlertRule(
                name=rule.name,
                file=file,
                group=group.name,
                interval_s=group.interval_s or evaluation_s,
                loaded=loaded,
                expr=rule.expr,
                for_s=parse_duration(rule.waits),
                keep_firing_for_s=parse_duration(rule.keeps_firing),
                labels=rule.labels,
                annotations=rule.annotations,
                metrics=metrics(node),
                windows_s=windows_s(node),
            )


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
