"""Reads what a compose file's Prometheus and Alertmanager are told: jobs, edges, rule files, the Watchdog's way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.clock import format_duration
from tocsin.harness.monitoring.alert_routes import reached, read_route
from tocsin.harness.planning.stack_draft.compose_file import Composed
from tocsin.harness.planning.stack_draft.service_kinds import Recognised, of_kind

_ALWAYS = re.compile(r"vector\s*\(\s*1\s*\)|1\s*==\s*1|1")
_COUNTER = re.compile(r"\b([a-zA-Z_:][\w:]*_total)\b")
_HISTOGRAM = re.compile(r"\b([a-zA-Z_:][\w:]*)_bucket\b")


@dataclass(kw_only=True)
class Declared:
    """What the files say. Paths are below the compose file's folder; `problems` names what could not be read."""

    prometheus: str | None = None
    alertmanager: str | None = None
    render: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    watchdog: dict[str, str] = field(default_factory=dict)
    alerts: int = 0
    counters: tuple[str, ...] = ()
    histograms: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)


def read_declared(composed: Composed, roles: Sequence[Recognised]) -> Declared:
    """Read prometheus.yml, its rule files and alertmanager.yml where the compose file mounts them."""
    declared = Declared()
    names = {one.service.name for one in roles}
    rules: list[Mapping[str, Any]] = []
    prometheus = _configuration(composed, roles, "prometheus", "/etc/prometheus/prometheus.yml", declared)
    if prometheus is not None:
        _scrapes(prometheus, names, declared)
        rules = list(_rules(composed, roles, prometheus, declared))
    alertmanager = _configuration(composed, roles, "alertmanager", "/etc/alertmanager/alertmanager.yml", declared)
    if alertmanager is not None:
        declared.edges.append("alertmanager -> pager")
    shipper, store = of_kind(roles, "shipper"), of_kind(roles, "elasticsearch")
    if shipper and store:
        declared.edges.append(f"{shipper.service.name} -> {store.service.name}")
    _watchdog(rules, alertmanager or {}, declared)
    return declared


def _configuration(
    composed: Composed, roles: Sequence[Recognised], kind: str, usual: str, declared: Declared
) -> Mapping[str, Any] | None:
    one = of_kind(roles, kind)
    if one is None:
        return None
    told = [word.partition("=")[2] for word in one.service.command if word.startswith("--config.file=")]
    inside = told[0] if told else usual
    place = one.service.host(inside)
    if place is None:
        declared.problems.append(f"{kind}: no mount of the compose file holds {inside}. Mount the file from beside it.")
        return None
    relative = _below(composed.path.parent, place)
    content = _yaml(composed.path.parent / place)
    if relative is None or content is None:
        declared.problems.append(f"{kind}: {place} is no YAML file below {composed.path.parent}. Correct the mount.")
        return None
    setattr(declared, kind, relative)
    folder = relative.partition("/")[0]
    if "/" in relative and folder not in declared.render:
        declared.render.append(folder)
    return content


def _below(folder: Path, place: str) -> str | None:
    try:
        return (folder / place).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None


def _yaml(path: Path) -> Mapping[str, Any] | None:
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return None
    return content if isinstance(content, dict) else None


def _scrapes(content: Mapping[str, Any], names: set[str], declared: Declared) -> None:
    for job in _mappings(content.get("scrape_configs")):
        name = str(job.get("job_name", ""))
        found = [key for key in job if str(key).endswith("_sd_configs")]
        if found:
            declared.problems.append(
                f"prometheus: job {name} uses {', '.join(found)}. Write its targets as static_configs."
            )
        for target in _targets(job):
            role = target.rpartition(":")[0] or target
            role = "prometheus" if role in ("localhost", "127.0.0.1") else role
            if role not in names:
                declared.problems.append(f"prometheus: job {name} scrapes {target}, which is no service of the file.")
                continue
            declared.jobs.setdefault(name, role)
            if role != "prometheus":
                declared.edges.append(f"prometheus -> {role}")
    alerting = content.get("alerting")
    for manager in _mappings(alerting.get("alertmanagers") if isinstance(alerting, dict) else None):
        declared.edges += [f"prometheus -> {target.rpartition(':')[0]}" for target in _targets(manager)]
    declared.edges = list(dict.fromkeys(declared.edges))


def _targets(job: Mapping[str, Any]) -> list[str]:
    return [str(target) for config in _mappings(job.get("static_configs")) for target in config.get("targets") or []]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _rules(
    composed: Composed, roles: Sequence[Recognised], content: Mapping[str, Any], declared: Declared
) -> Iterable[Mapping[str, Any]]:
    one = of_kind(roles, "prometheus")
    base = Path("/etc/prometheus")
    text: list[str] = []
    for pattern in content.get("rule_files") or []:
        inside = Path(str(pattern)) if str(pattern).startswith("/") else base / str(pattern)
        folder = one.service.host(str(inside.parent)) if one else None
        files = sorted((composed.path.parent / folder).glob(inside.name)) if folder else []
        if not files:
            declared.problems.append(
                f"prometheus: no rule file fits {pattern}. Mount the rules from beside the compose file."
            )
        for file in files:
            read = _yaml(file)
            if read is None:
                declared.problems.append(f"prometheus: rule file {file.name} is no YAML.")
            for group in _mappings((read or {}).get("groups")):
                rules = _mappings(group.get("rules"))
                text += [str(rule.get("expr", "")) for rule in rules]
                yield from (rule for rule in rules if "alert" in rule)
    declared.counters = tuple(sorted(set(_COUNTER.findall("\n".join(text)))))
    declared.histograms = tuple(sorted(set(_HISTOGRAM.findall("\n".join(text)))))


def _watchdog(rules: Sequence[Mapping[str, Any]], alertmanager: Mapping[str, Any], declared: Declared) -> None:
    declared.alerts = len(rules)
    for rule in rules:
        labels = rule.get("labels")
        given = {"alertname": str(rule["alert"]), **(labels if isinstance(labels, dict) else {})}
        if not _ALWAYS.fullmatch(str(rule.get("expr", "")).strip()) or not isinstance(alertmanager.get("route"), dict):
            continue
        ends = reached(read_route(alertmanager["route"]), {str(key): str(one) for key, one in given.items()})
        if ends:
            route = ends[0].route
            declared.watchdog = {
                "alert": str(rule["alert"]),
                "receiver": route.receiver,
                "every": format_duration(route.repeat_interval_s),
            }
        return
