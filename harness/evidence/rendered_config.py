"""Configuration: the rendered files that the servers of a run were given, read back. Times are wall seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.untyped_data import items, mapping, mappings, read_yaml, text, texts
from tocsin.harness.monitoring.alert_routes import all_routes, read_route
from tocsin.harness.monitoring.promql.rule_files import rule_groups

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
        config = folder / "config"
        files = dict(_contents(config))
        prometheus = next((path for path, content in files.items() if "scrape_configs" in content), None)
        alertmanager = next((content for content in files.values() if content.keys() >= {"receivers", "route"}), {})
        if prometheus is None:
            return cls(alertmanager=alertmanager)
        names = [name for name in files if _loads(files[prometheus], prometheus.parent, name)]
        return cls(
            rules=tuple(rule for name in names for rule in _rules(name, files[name])),
            scrape_interval_s=_scrape_intervals(files[prometheus]),
            alertmanager=alertmanager,
        )

    def evaluation_s(self, alert: str | None) -> float | None:
        """Return the longest interval of the groups that hold this alert; None where the global one holds."""
        own = [rule.interval_s for rule in self.rules if rule.alerting and rule.name == alert]
        if None in own:
            return None
        return max((seconds for seconds in own if seconds is not None), default=None)

    def group_interval_s(self, receiver: str) -> float | None:
        """Return the longest group_interval of the routes that lead to a receiver; None where no route is known to."""
        root = mapping(self.alertmanager.get("route"))
        routes = all_routes(read_route(root)) if root else ()
        return max((route.group_interval_s for route in routes if route.receiver == receiver), default=None)

    def alerts(self, name: str | None = None) -> tuple[LoadedRule, ...]:
        """Return the alerting rules, of one name if given."""
        return tuple(rule for rule in self.rules if rule.alerting and name in (None, rule.name))


def tool_output(folder: Path, name: str) -> Any:
    """Return what a tool left in `config/tools/`: parsed JSON or text; None if it is not there or torn."""
    path = folder / "config" / "tools" / name
    try:
        content = path.read_text(encoding="utf-8")
        return json.loads(content) if path.suffix == ".json" else content
    except (OSError, ValueError):
        return None


def declared_metrics(folder: Path) -> set[str]:
    """Return the metrics that the targets declared, with a sample or not; empty if the run kept no such list."""
    declared: set[str] = set()
    for name, kind in texts(tool_output(folder, "metadata.json")).items():
        declared |= {name, *(f"{name}{part}" for part in _PARTS.get(kind, ()))}
    return declared


def _contents(config: Path) -> Iterator[tuple[PurePosixPath, Mapping[str, object]]]:
    """Yield every YAML file below a folder that a server read: its path there, and its content."""
    for path in sorted(config.rglob("*")):
        name = PurePosixPath(path.relative_to(config))
        if path.suffix not in (".yml", ".yaml", ".rules") or name.parts[0] in _ASIDE:
            continue
        try:
            content = read_yaml(path)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield name, content


def _rules(name: PurePosixPath, content: Mapping[str, object]) -> Iterator[LoadedRule]:
    for group in rule_groups(content):
        for rule in group.rules:
            yield LoadedRule(
                name=rule.name,
                alerting=rule.alerting,
                expr=rule.expr,
                labels=rule.labels,
                annotations=rule.annotations,
                group=group.name,
                file=str(name),
                interval_s=group.interval_s,
            )


def _loads(prometheus: Mapping[str, object], folder: PurePosixPath, name: PurePosixPath) -> bool:
    """Tell whether `rule_files` names a file; the folder that the servers saw was called `config` too."""
    for pattern in map(str, items(prometheus.get("rule_files"))):
        _, _, rest = pattern.rpartition("/config/")
        if not PurePosixPath(pattern).is_absolute():
            rest = str(folder / pattern)
        if rest and name.match(rest):
            return True
    return False


def _scrape_intervals(prometheus: Mapping[str, object]) -> dict[str, float]:
    default = mapping(prometheus.get("global")).get("scrape_interval", "1m")
    jobs = mappings(prometheus.get("scrape_configs"))
    return {text(job.get("job_name")): parse_duration(text(job.get("scrape_interval", default))) for job in jobs}
