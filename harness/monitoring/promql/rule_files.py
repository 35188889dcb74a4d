"""Rule files as values: every alert with what it reads, waits for and says, and every recording rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.declarations.alert_plan import AlertRule
from tocsin.harness.monitoring.promql.expression import NotCompressible, metrics, parse, windows_s


def alert_rules(
    groups: Iterable[Mapping[str, Any]], *, file: str, loaded: bool, evaluation_s: float
) -> list[AlertRule]:
    """Return the alerting rules of a rule file; an expression that is no PromQL has no metrics and no windows."""
    found = []
    for group in groups:
        interval_s = parse_duration(str(group["interval"])) if group.get("interval") else evaluation_s
        for rule in group.get("rules") or ():
            if "alert" in rule:
                where = {"file": file, "group": str(group.get("name", "")), "interval_s": interval_s, "loaded": loaded}
                found.append(_alert(rule, where))
    return found


def _alert(rule: Mapping[str, Any], where: Mapping[str, Any]) -> AlertRule:
    expr = str(rule.get("expr", ""))
    try:
        node = parse(expr)
        reads, windows = metrics(node), windows_s(node)
    except NotCompressible:
        reads, windows = (), ()
    return AlertRule(
        name=str(rule["alert"]),
        expr=expr,
        for_s=parse_duration(str(rule.get("for") or "0s")),
        keep_firing_for_s=parse_duration(str(rule.get("keep_firing_for") or "0s")),
        labels=_texts(rule.get("labels")),
        annotations=_texts(rule.get("annotations")),
        metrics=reads,
        windows_s=windows,
        **where,
    )


def _texts(mapping: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (mapping or {}).items()}
