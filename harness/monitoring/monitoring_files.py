"""What a stack's own monitoring files declare: alerts, intervals, receivers. Reads files, touches no server."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.errors import UsageError
from tocsin.harness.core.untyped_data import items, mapping, mappings, read_yaml, text, texts
from tocsin.harness.declarations.alert_timing import AlertRule
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.alert_routes import Reached, Route, all_routes, reached, read_route
from tocsin.harness.monitoring.promql.compression_analysis import Scales, analyse
from tocsin.harness.monitoring.promql.expression import NotCompressible
from tocsin.harness.monitoring.promql.rule_files import RuleGroup, alert_rules, read_as_counters, recorded, rule_groups


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """Production seconds throughout. `alerts` holds every rule file of the folder, loaded or not."""

    alerts: tuple[AlertRule, ...]
    scrape_interval_s: float
    evaluation_interval_s: float
    route: Route
    receivers: tuple[str, ...]
    expressions: tuple[tuple[str, str], ...]
    """Every expression of a loaded rule file with the file's name: what a speed must be able to divide."""
    intervals_s: Mapping[str, float] = field(default_factory=dict)
    """What must not become too short, in words -> how long it is: scrapes of each job, evaluations of each group."""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    scales: Scales = field(default_factory=Scales)
    """What division of time does to each metric: declared by stack.yaml, or recorded by a loaded rule file."""

    @property
    def group_interval_s(self) -> float:
        """The largest group_interval of all routes."""
        return max(route.group_interval_s for route in all_routes(self.route))

    @cached_property
    def indivisible(self) -> tuple[tuple[str, str], ...]:
        """Every loaded file with an expression that cannot be kept at a speed, and why, each once."""
        refused = []
        for file, expr in dict.fromkeys(self.expressions):
            try:
                analyse(expr, self.scales)
            except NotCompressible as error:
                refused.append((file, error.message))
        return tuple(refused)

    def alert(self, name: str) -> tuple[AlertRule, ...]:
        """Return the rules of that alert name."""
        return tuple(rule for rule in self.alerts if rule.name == name)

    def reached(self, rule: AlertRule, labels: Mapping[str, str]) -> tuple[Reached, ...]:
        """Return the routes where an alert of this rule ends, as far as its labels and those given are known."""
        own = {name: value for name, value in rule.labels.items() if "{{" not in value}
        return reached(self.route, {**self.external_labels, **labels, **own, "alertname": rule.name})


def read_monitoring(stack: Stack) -> Monitoring:
    """Read prometheus.yml, all rule files and alertmanager.yml of the stack folder; UsageError names what is broken.

    A stack without them has no alert and no receiver. What was read is kept until one of the files changes.
    """
    named = [stack.folder / name for name in (stack.prometheus, stack.alertmanager) if name]
    stamps = tuple((path, _stamp(path)) for path in (*_files(stack), *named))
    key = (stack.model_dump_json(include={"prometheus", "alertmanager", "paths", "scales"}), stamps)
    if key not in _READ:
        if len(_READ) >= _KEPT:
            _READ.clear()
        _READ[key] = _read(stack)
    return _READ[key]


_READ: dict[object, Monitoring] = {}
_KEPT = 16


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _files(stack: Stack) -> list[Path]:
    if stack.prometheus is None:
        return []
    return sorted(_home(stack, stack.prometheus).rglob("*.y*ml"))


def _home(stack: Stack, prometheus: str) -> Path:
    """Return the folder of prometheus.yml."""
    return (stack.folder / prometheus).parent


def _read(stack: Stack) -> Monitoring:
    prometheus = _declared(stack, stack.prometheus)
    alertmanager = _declared(stack, stack.alertmanager)
    settings = mapping(prometheus.get("global"))
    scrape = text(settings.get("scrape_interval")) or "1m"
    evaluation = text(settings.get("evaluation_interval")) or "1m"
    evaluation_s = parse_duration(evaluation)
    patterns = set(_loaded(stack, items(prometheus.get("rule_files"))))
    alerts: list[AlertRule] = []
    groups: list[tuple[str, RuleGroup]] = []
    for path in _files(stack):
        loaded = path.resolve() in patterns
        for group in rule_groups(_yaml(path)):
            alerts += alert_rules(group, file=path.name, loaded=loaded, evaluation_s=evaluation_s)
            if loaded:
                groups.append((path.name, group))
    expressions = tuple((file, rule.expr) for file, group in groups for rule in group.rules)
    intervals = {}
    if stack.prometheus:
        intervals = {"scrapes": scrape, "evaluations": evaluation}
    for job in mappings(prometheus.get("scrape_configs")):
        intervals[f"scrapes of job {job.get('job_name')}"] = text(job.get("scrape_interval")) or scrape
    intervals |= {f"evaluations of group {group.name}": group.interval for _, group in groups if group.interval}
    return Monitoring(
        alerts=tuple(alerts),
        scrape_interval_s=parse_duration(scrape),
        evaluation_interval_s=evaluation_s,
        route=read_route(mapping(alertmanager.get("route"))),
        receivers=tuple(text(receiver.get("name")) for receiver in mappings(alertmanager.get("receivers"))),
        expressions=expressions,
        intervals_s={name: parse_duration(interval) for name, interval in intervals.items()},
        external_labels=texts(settings.get("external_labels")),
        scales=Scales(
            recorded=recorded(group for _, group in groups),
            counters=read_as_counters(expr for _, expr in expressions),
            **stack.scales.model_dump(),
        ),
    )


def _declared(stack: Stack, name: str | None) -> Mapping[str, object]:
    """Return a file of the monitoring; empty where the stack has none: upstream's defaults hold."""
    if name is None:
        return {}
    content = _yaml(stack.folder / name)
    if not isinstance(content, Mapping):
        raise UsageError.of(stack.folder / name, "file", repr(content)[:40], "a mapping, as upstream documents it")
    return content


def _yaml(path: Path) -> object:
    try:
        return read_yaml(path) or {}
    except ValueError as error:
        raise UsageError.of(path, "file", str(error), "a readable YAML file") from None


def _loaded(stack: Stack, patterns: Iterable[object]) -> Iterator[Path]:
    """Yield the files of the folder that these `rule_files` patterns load once the stack is rendered."""
    if stack.prometheus is None:
        return
    for pattern in map(str, patterns):
        for place, rendered in stack.paths.items():
            if pattern.startswith(place):
                pattern = rendered.replace("{config}", str(stack.folder)) + pattern.removeprefix(place)
                break
        for file in glob.glob(str(_home(stack, stack.prometheus) / _as_python(pattern))):
            yield Path(file).resolve()


def _as_python(pattern: str) -> str:
    """Return a Go glob in Python's words: `[^s]` negates in Go, where `[!s]` means `!` or `s`."""
    return re.sub(r"\[\^", "[!", re.sub(r"\[!([^\]]*)\]", r"[\1!]", pattern))
