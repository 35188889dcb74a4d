"""What a stack's own monitoring files declare: alerts, intervals, receivers. Reads files, touches no server."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.clock import parse_duration
from tocsin.harness.core.errors import Mistake, UsageError
from tocsin.harness.declarations.alert_plan import AlertRule
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.monitoring.alert_routes import Reached, Route, all_routes, reached, read_route
from tocsin.harness.monitoring.promql.expression import NotCompressible
from tocsin.harness.monitoring.promql.recording_rules import read_as_counters, recorded
from tocsin.harness.monitoring.promql.rewrites import Scales, analyse
from tocsin.harness.monitoring.promql.rule_files import alert_rules


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
    def group_wait_s(self) -> Mapping[str, float]:
        """Receiver -> the largest group_wait of the routes that lead to it."""
        waits: dict[str, float] = {}
        for route in all_routes(self.route):
            waits[route.receiver] = max(route.group_wait_s, waits.get(route.receiver, 0.0))
        return waits

    @property
    def group_interval_s(self) -> float:
        """The largest group_interval of all routes."""
        return max(route.group_interval_s for route in all_routes(self.route))

    @cached_property
    def indivisible(self) -> tuple[tuple[str, str], ...]:
        """Every loaded file with an expression that cannot be kept at a speed, and why, each once."""
        found = []
        for file, expr in dict.fromkeys(self.expressions):
            try:
                analyse(expr, self.scales)
            except NotCompressible as error:
                found.append((file, error.message))
        return tuple(found)

    def alert(self, name: str) -> tuple[AlertRule, ...]:
        """Return the rules of that alert name."""
        return tuple(rule for rule in self.alerts if rule.name == name)

    def reached(self, rule: AlertRule, labels: Mapping[str, str]) -> tuple[Reached, ...]:
        """Return the routes where an alert of this rule ends, as far as its labels and those given are known."""
        own = {name: value for name, value in rule.labels.items() if "{{" not in value}
        return reached(self.route, {**self.external_labels, **labels, **own, "alertname": rule.name})


def read_monitoring(stack: Stack) -> Monitoring:
    """Read prometheus.yml, all rule files and alertmanager.yml of the stack folder; UsageError names what is broken.

    A stack without them has no alert and no receiver.

    What was read is kept until one of the files changes.
    """
    files = _files(stack)
    named = [stack.folder / name for name in (stack.prometheus, stack.alertmanager) if name]
    stamps = tuple((path, _stamp(path)) for path in (*files, *named))
    key = (stack.model_dump_json(include={"prometheus", "alertmanager", "paths", "scales"}), stamps)
    if key not in _READ:
        if len(_READ) >= _KEPT:
            _READ.clear()
        _READ[key] = _read(stack, files)
    return _READ[key]


_READ: dict[object, Monitoring] = {}
_KEPT = 16


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def read_scales(stack: Stack) -> Scales:
    """Return what division of time does to each metric, from stack.yaml, prometheus.yml and the rule files it loads."""
    prometheus = _declared(stack, stack.prometheus)
    loaded = _loaded(stack, prometheus.get("rule_files") or ())
    return _scales(stack, [group for _, group in _rules(_files(stack), loaded, 60.0)[1]])


def _scales(stack: Stack, groups: list[Mapping[str, Any]]) -> Scales:
    exprs = [str(rule.get("expr", "")) for group in groups for rule in group.get("rules") or ()]
    return Scales(recorded=recorded(groups), counters=read_as_counters(exprs), **stack.scales.model_dump())


def _files(stack: Stack) -> list[Path]:
    home = _home(stack)
    return sorted(home.rglob("*.y*ml")) if home else []


def _home(stack: Stack) -> Path | None:
    """Return the folder of prometheus.yml, None for a stack without."""
    return (stack.folder / stack.prometheus).parent if stack.prometheus else None


def _read(stack: Stack, files: list[Path]) -> Monitoring:
    prometheus = _declared(stack, stack.prometheus)
    alertmanager = _declared(stack, stack.alertmanager)
    settings = prometheus.get("global") or {}
    scrape = str(settings.get("scrape_interval", "1m"))
    evaluation_s = parse_duration(str(settings.get("evaluation_interval", "1m")))
    alerts, loaded = _rules(files, _loaded(stack, prometheus.get("rule_files") or ()), evaluation_s)
    groups = [group for _, group in loaded]
    jobs = prometheus.get("scrape_configs") or ()
    own = {f"evaluations of group {one.get('name')}": one["interval"] for one in groups if one.get("interval")}
    each = {f"scrapes of job {job.get('job_name')}": job.get("scrape_interval", scrape) for job in jobs}
    return Monitoring(
        alerts=tuple(alerts),
        scrape_interval_s=parse_duration(scrape),
        evaluation_interval_s=evaluation_s,
        route=read_route(alertmanager.get("route") or {}),
        receivers=tuple(str(receiver["name"]) for receiver in alertmanager.get("receivers") or ()),
        expressions=tuple(
            (file, str(rule.get("expr", ""))) for file, group in loaded for rule in group.get("rules") or ()
        ),
        intervals_s={
            **({"scrapes": parse_duration(scrape), "evaluations": evaluation_s} if stack.prometheus else {}),
            **{what: parse_duration(str(interval)) for what, interval in (each | own).items()},
        },
        external_labels={str(key): str(value) for key, value in (settings.get("external_labels") or {}).items()},
        scales=_scales(stack, groups),
    )


def _declared(stack: Stack, name: str | None) -> Mapping[str, Any]:
    """Return a file of the monitoring; empty where the stack has none: upstream's defaults hold."""
    return _mapping(stack.folder / name) if name else {}


def _mapping(path: Path) -> Mapping[str, Any]:
    content = _yaml(path)
    if not isinstance(content, Mapping):
        expected = "a mapping, as upstream documents it"
        raise UsageError([Mistake(file=str(path), line=0, where="file", value=repr(content)[:40], expected=expected)])
    return content


def _yaml(path: Path) -> Any:
    return _content(path, _stamp(path))


@lru_cache(maxsize=256)
def _content(path: Path, stamp: object) -> Any:
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except (OSError, YAMLError) as error:
        words = " ".join(str(error).split())
        raise UsageError(
            [Mistake(file=str(path), line=0, where="file", value=words, expected="a readable YAML file")]
        ) from None


def _loaded(stack: Stack, patterns: Iterable[object]) -> set[Path]:
    """Return the files of the folder that these `rule_files` patterns load once the stack is rendered."""
    home, found = _home(stack), set[Path]()
    for pattern in map(str, patterns):
        for named, place in stack.paths.items():
            if pattern.startswith(named):
                pattern = place.replace("{config}", str(stack.folder)) + pattern[len(named) :]
                break
        if home is not None:
            found |= {Path(path).resolve() for path in glob.glob(str(home / _as_python(pattern)))}
    return found


def _as_python(pattern: str) -> str:
    """Return a Go glob in Python's words: `[^s]` negates in Go, where `[!s]` means `!` or `s`."""
    return re.sub(r"\[\^", "[!", re.sub(r"\[!([^\]]*)\]", r"[\1!]", pattern))


def _rules(
    files: Iterable[Path], loaded: set[Path], evaluation_s: float
) -> tuple[list[AlertRule], list[tuple[str, Mapping[str, Any]]]]:
    """Return the alerts of all rule files, and the groups of those that are loaded, each with its file."""
    alerts: list[AlertRule] = []
    groups: list[tuple[str, Mapping[str, Any]]] = []
    for path in files:
        content = _yaml(path)
        if not isinstance(content, dict) or "groups" not in content:
            continue
        named, own = path.resolve() in loaded, content["groups"] or ()
        alerts += alert_rules(own, file=path.name, loaded=named, evaluation_s=evaluation_s)
        groups += [(path.name, group) for group in own] if named else []
    return alerts, groups
