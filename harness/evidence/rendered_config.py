"""Configuration: the rendered files that the servers of a run were given, read back. Times are wall seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.clock import parse_duration

_GROUP_INTERVAL = "5m"
"""Alertmanager's default; a rendered file always names its own."""
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count"), "counter": ("_total",)}
"""What a metric's name becomes in its samples, by its type."""
_ASIDE = ("original", "tools")
"""Folders below `config/` that no server reads."""


@dataclass(frozen=True, kw_only=True)
class LoadedRule:
    """A rule that Prometheus was told to load. `name` is the alert's, or the recorded metric's if not `alerting`.

    `interval_s` is its group's own, None where the global one holds.
    """

    name: str
    alerting: bool
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    group: str
    file: str
    interval_s: float | None


@dataclass(frozen=True, kw_only=True)
class RenderedConfig:
    """What Prometheus and Alertmanager of a run read; empty where the run kept no such file."""

    rules: tuple[LoadedRule, ...] = ()
    scrape_interval_s: Mapping[str, float] = field(default_factory=dict)
    """Job -> its scrape interval."""
    alertmanager: Mapping[str, Any] = field(default_factory=dict)
    """alertmanager.yml as it was."""

    @classmethod
    def read(cls, folder: Path) -> RenderedConfig:
        """Read `config/` of a run directory. What is missing or torn is left out, never an error."""
        files = {path: content for path in _files(folder) if isinstance(content := _yaml(path), dict)}
        prometheus = next((path for path, content in files.items() if "scrape_configs" in content), None)
        alertmanager = next(
            (content for content in files.values() if "receivers" in content and "route" in content), {}
        )
        if prometheus is None:
            return cls(alertmanager=alertmanager)
        return cls(
            rules=tuple(_rules(folder, prometheus, files)),
            scrape_interval_s=_intervals(files[prometheus]),
            alertmanager=alertmanager,
        )

    def evaluation_s(self, alert: str | None) -> float | None:
        """Return the longest interval of the groups that hold this alert; None where the global one holds."""
        own = [rule.interval_s for rule in self.rules if rule.alerting and rule.name == alert]
        known = [seconds for seconds in own if seconds is not None]
        return max(known) if known and len(known) == len(own) else None

    def group_interval_s(self, receiver: str) -> float | None:
        """Return the longest group_interval of the routes that lead to a receiver; None where no route is known to."""
        root = self.alertmanager.get("route") or {}
        found: list[float] = []
        todo = [(root, "", _GROUP_INTERVAL)] if root else []
        while todo:
            route, inherited, interval = todo.pop()
            whom, interval = str(route.get("receiver") or inherited), str(route.get("group_interval", interval))
            found += [parse_duration(interval)] if whom == receiver else []
            todo += [(child, whom, interval) for child in route.get("routes") or ()]
        return max(found, default=None)

    def alerts(self, name: str | None = None) -> tuple[LoadedRule, ...]:
        """Return the alerting rules, of one name if given."""
        return tuple(rule for rule in self.rules if rule.alerting and name in (None, rule.name))


def tool_output(folder: Path, name: str) -> Any:
    """Return what a tool left in `config/tools/`: parsed JSON or text; None if it is not there or torn."""
    path = folder / "config" / "tools" / name
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else text
    except (OSError, ValueError):
        return None


def declared_metrics(folder: Path) -> set[str]:
    """Return the metrics that the targets declared, with a sample or not; empty if the run kept no such list."""
    kept = tool_output(folder, "metadata.json")
    found: set[str] = set()
    for name, kind in kept.items() if isinstance(kept, dict) else ():
        found |= {name, *(f"{name}{part}" for part in _PARTS.get(str(kind), ()))}
    return found


def _files(folder: Path) -> list[Path]:
    config = folder / "config"
    found = (path for path in sorted(config.rglob("*")) if path.suffix in (".yml", ".yaml", ".rules"))
    return [path for path in found if path.relative_to(config).parts[0] not in _ASIDE]


def _yaml(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError):
        return None


def _rules(folder: Path, prometheus: Path, files: Mapping[Path, Mapping[str, Any]]) -> Iterator[LoadedRule]:
    config = folder / "config"
    patterns = [str(pattern) for pattern in files[prometheus].get("rule_files") or ()]
    for path, content in files.items():
        if not any(_loads(pattern, path, prometheus, config) for pattern in patterns):
            continue
        for group in content.get("groups") or ():
            interval_s = parse_duration(str(group["interval"])) if group.get("interval") else None
            for rule in group.get("rules") or ():
                alerting = "alert" in rule
                yield LoadedRule(
                    name=str(rule.get("alert") or rule.get("record") or ""),
                    alerting=alerting,
                    expr=str(rule.get("expr", "")),
                    labels=_text(rule.get("labels")),
                    annotations=_text(rule.get("annotations")),
                    group=str(group.get("name", "")),
                    file=str(path.relative_to(config)),
                    interval_s=interval_s,
                )


def _loads(pattern: str, path: Path, prometheus: Path, config: Path) -> bool:
    """Tell whether a `rule_files` pattern names a file; the folder that the servers saw was called `config` too."""
    below = PurePosixPath(pattern)
    if below.is_absolute():
        _, marker, rest = pattern.rpartition("/config/")
        return bool(marker) and PurePosixPath(path.relative_to(config)).match(rest)
    return PurePosixPath(path.relative_to(config)).match(
        str(PurePosixPath(prometheus.parent.relative_to(config)) / below)
    )


def _intervals(prometheus: Mapping[str, Any]) -> dict[str, float]:
    default = str((prometheus.get("global") or {}).get("scrape_interval", "1m"))
    jobs = prometheus.get("scrape_configs") or ()
    return {str(job.get("job_name")): parse_duration(str(job.get("scrape_interval", default))) for job in jobs}


def _text(mapping: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (mapping or {}).items()}
