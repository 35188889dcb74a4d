"""What a stack's own monitoring files declare: alerts, intervals, receivers. Reads files, touches no server."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.clock import parse_duration
from harness.errors import Mistake, UsageError
from harness.scenario import AlertRule
from harness.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """Production seconds throughout. `alerts` holds every rule file of the folder, loaded or not."""

    alerts: tuple[AlertRule, ...]
    scrape_interval_s: float
    evaluation_interval_s: float
    group_wait_s: Mapping[str, float]
    """Receiver -> the largest group_wait of the routes that lead to it."""
    group_interval_s: float
    receivers: tuple[str, ...]
    expressions: tuple[tuple[str, str], ...]
    """Every expression of a loaded rule file with the file's name: what a speed must be able to divide."""

    def alert(self, name: str) -> tuple[AlertRule, ...]:
        """Return the rules of that alert name."""
        return tuple(rule for rule in self.alerts if rule.name == name)


def read_monitoring(stack: Stack) -> Monitoring:
    """Read prometheus.yml, all rule files and alertmanager.yml of the stack folder; UsageError names what is broken."""
    prometheus = _yaml(stack.folder / stack.prometheus)
    alertmanager = _yaml(stack.folder / stack.alertmanager)
    settings = prometheus.get("global") or {}
    alerts, expressions = _rules(stack, _loaded(stack, prometheus.get("rule_files") or ()))
    waits, largest_interval_s = _routes(alertmanager.get("route") or {})
    return Monitoring(
        alerts=alerts,
        scrape_interval_s=parse_duration(str(settings.get("scrape_interval", "1m"))),
        evaluation_interval_s=parse_duration(str(settings.get("evaluation_interval", "1m"))),
        group_wait_s=waits,
        group_interval_s=largest_interval_s,
        receivers=tuple(str(receiver["name"]) for receiver in alertmanager.get("receivers") or ()),
        expressions=expressions,
    )


def _yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except (OSError, YAMLError) as error:
        words = " ".join(str(error).split())
        raise UsageError(
            [Mistake(file=str(path), line=0, where="file", value=words, expected="a readable YAML file")]
        ) from None


def _loaded(stack: Stack, patterns: Iterable[object]) -> set[Path]:
    """Return the files of the folder that these `rule_files` patterns load once the stack is rendered."""
    home = (stack.folder / stack.prometheus).parent
    found: set[Path] = set()
    for pattern in map(str, patterns):
        for named, place in stack.paths.items():
            if pattern.startswith(named):
                pattern = place.replace("{config}", str(stack.folder)) + pattern[len(named) :]
                break
        found |= {Path(path).resolve() for path in glob.glob(str(home / _as_python(pattern)))}
    return found


def _as_python(pattern: str) -> str:
    """Return a Go glob in Python's words: `[^s]` negates in Go, where `[!s]` means `!` or `s`."""
    return re.sub(r"\[\^", "[!", re.sub(r"\[!([^\]]*)\]", r"[\1!]", pattern))


def _rules(stack: Stack, loaded: set[Path]) -> tuple[tuple[AlertRule, ...], tuple[tuple[str, str], ...]]:
    alerts, expressions = [], []
    for path in sorted((stack.folder / stack.prometheus).parent.rglob("*.y*ml")):
        content = _yaml(path)
        if not isinstance(content, dict) or "groups" not in content:
            continue
        named = path.resolve() in loaded
        for rule in (rule for group in content["groups"] or () for rule in group.get("rules") or ()):
            if named:
                expressions.append((path.name, str(rule.get("expr", ""))))
            if "alert" in rule:
                alerts.append(_alert(rule, path.name, loaded=named))
    return tuple(alerts), tuple(expressions)


def _alert(rule: Any, file: str, *, loaded: bool) -> AlertRule:
    return AlertRule(
        name=str(rule["alert"]),
        file=file,
        expr=str(rule.get("expr", "")),
        for_s=parse_duration(str(rule.get("for", "0s"))),
        labels={str(key): str(value) for key, value in (rule.get("labels") or {}).items()},
        loaded=loaded,
    )


def _routes(root: Any) -> tuple[dict[str, float], float]:
    """Walk the routing tree with Alertmanager's defaults: group_wait 30s, group_interval 5m, inherited downwards."""
    waits: dict[str, float] = {}
    intervals = []
    todo = [(root, "", 30.0, 300.0)]
    while todo:
        route, receiver, wait_s, interval_s = todo.pop()
        receiver = str(route.get("receiver", receiver))
        wait_s = parse_duration(str(route["group_wait"])) if "group_wait" in route else wait_s
        interval_s = parse_duration(str(route["group_interval"])) if "group_interval" in route else interval_s
        waits[receiver] = max(wait_s, waits.get(receiver, 0.0))
        intervals.append(interval_s)
        todo += [(child, receiver, wait_s, interval_s) for child in route.get("routes") or ()]
    return waits, max(intervals)
