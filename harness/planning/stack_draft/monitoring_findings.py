"""Reads what a compose file's Prometheus and Alertmanager are told: jobs, edges, rule files, the Watchdog's way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.clock import format_duration
from tocsin.harness.core.json_pointer import find
from tocsin.harness.core.untyped_data import items, mapping, mappings, read_yaml, text
from tocsin.harness.monitoring.alert_routes import reached, read_route
from tocsin.harness.monitoring.promql.rule_files import Rule, rule_groups
from tocsin.harness.planning.stack_draft.compose_file import ComposeFile
from tocsin.harness.planning.stack_draft.service_kinds import DraftRole, of_kind

_ALWAYS = re.compile(r"vector\s*\(\s*1\s*\)|1\s*==\s*1|1")
_COUNTER = re.compile(r"\b([a-zA-Z_:][\w:]*_total)\b")
_HISTOGRAM = re.compile(r"\b([a-zA-Z_:][\w:]*)_bucket\b")


@dataclass(kw_only=True)
class MonitoringFindings:
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


def read_findings(compose: ComposeFile, roles: Sequence[DraftRole]) -> MonitoringFindings:
    """Read prometheus.yml, its rule files and alertmanager.yml where the compose file mounts them."""
    findings = MonitoringFindings()
    reader = _Reader(compose=compose, roles=roles, findings=findings)
    route: object = None
    rules: list[Rule] = []
    server = reader.configuration("prometheus", "/etc/prometheus/prometheus.yml")
    if server is not None:
        findings.prometheus, prometheus = server
        reader.scrapes(prometheus)
        rules = list(reader.rules(prometheus))
    server = reader.configuration("alertmanager", "/etc/alertmanager/alertmanager.yml")
    if server is not None:
        findings.alertmanager, alertmanager = server
        findings.edges.append("alertmanager -> pager")
        route = alertmanager.get("route")
    shipper, store = of_kind(roles, "shipper"), of_kind(roles, "elasticsearch")
    if shipper and store:
        findings.edges.append(f"{shipper.service.name} -> {store.service.name}")
    exprs = "\n".join(rule.expr for rule in rules)
    alerts = [rule for rule in rules if rule.alerting]
    findings.alerts = len(alerts)
    findings.counters = tuple(sorted(set(_COUNTER.findall(exprs))))
    findings.histograms = tuple(sorted(set(_HISTOGRAM.findall(exprs))))
    if isinstance(route, Mapping):
        findings.watchdog = _watchdog(alerts, route)
    return findings


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Looks at the files that the compose file mounts, and adds to the findings what it reads there."""

    compose: ComposeFile
    roles: Sequence[DraftRole]
    findings: MonitoringFindings

    @property
    def _folder(self) -> Path:
        return self.compose.path.parent

    def configuration(self, kind: str, usual: str) -> tuple[str, Mapping[str, object]] | None:
        """Return path and content of a server's configuration, None without such a server or file."""
        role = of_kind(self.roles, kind)
        if role is None:
            return None
        given = [word.partition("=")[2] for word in role.service.command if word.startswith("--config.file=")]
        inside = next(iter(given), usual)
        place = role.service.host(inside)
        if place is None:
            problem = f"{kind}: no mount of the compose file holds {inside}. Mount the file from beside it."
            self.findings.problems.append(problem)
            return None
        relative, content = _below(self._folder, place), _yaml(self._folder / place)
        if relative is None or content is None:
            self.findings.problems.append(f"{kind}: {place} is no YAML file below {self._folder}. Correct the mount.")
            return None
        folder, slash, _ = relative.partition("/")
        if slash and folder not in self.findings.render:
            self.findings.render.append(folder)
        return relative, content

    def scrapes(self, prometheus: Mapping[str, object]) -> None:
        """Add the jobs, and who is called."""
        names, findings = {role.service.name for role in self.roles}, self.findings
        for job in mappings(prometheus.get("scrape_configs")):
            name = text(job.get("job_name"))
            discovery = ", ".join(key for key in job if key.endswith("_sd_configs"))
            if discovery:
                problem = f"prometheus: job {name} uses {discovery}. Write its targets as static_configs."
                findings.problems.append(problem)
            for target in _targets(job):
                role = target.rpartition(":")[0] or target
                if role in ("localhost", "127.0.0.1"):
                    role = "prometheus"
                if role not in names:
                    problem = f"prometheus: job {name} scrapes {target}, which is no service of the file."
                    findings.problems.append(problem)
                    continue
                findings.jobs.setdefault(name, role)
                if role != "prometheus":
                    findings.edges.append(f"prometheus -> {role}")
        for manager in mappings(find(prometheus, "/alerting/alertmanagers")):
            findings.edges += [f"prometheus -> {target.rpartition(':')[0]}" for target in _targets(manager)]
        findings.edges = list(dict.fromkeys(findings.edges))

    def rules(self, prometheus: Mapping[str, object]) -> Iterator[Rule]:
        """Yield the rules of every rule file that is mounted."""
        servers = [role.service for role in self.roles if role.kind == "prometheus"][:1]
        for pattern in items(prometheus.get("rule_files")):
            inside = Path("/etc/prometheus", str(pattern))
            folders = [folder for server in servers if (folder := server.host(str(inside.parent))) is not None]
            files = sorted(file for folder in folders for file in (self._folder / folder).glob(inside.name))
            if not files:
                problem = f"prometheus: no rule file fits {pattern}. Mount the rules from beside the compose file."
                self.findings.problems.append(problem)
            for file in files:
                content = _yaml(file)
                if content is None:
                    self.findings.problems.append(f"prometheus: rule file {file.name} is no YAML.")
                for group in rule_groups(content):
                    yield from group.rules


def _below(folder: Path, place: str) -> str | None:
    try:
        return (folder / place).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None


def _yaml(path: Path) -> Mapping[str, object] | None:
    """Return a YAML mapping, None for anything else."""
    try:
        return mapping(read_yaml(path)) or None
    except ValueError:
        return None


def _targets(job: Mapping[str, object]) -> list[str]:
    configs = mappings(job.get("static_configs"))
    return [str(target) for config in configs for target in items(config.get("targets"))]


def _watchdog(alerts: Sequence[Rule], route: Mapping[str, object]) -> dict[str, str]:
    """Return the first alert that always fires, whom it reaches and how often; empty if it reaches nobody."""
    rule = next((rule for rule in alerts if _ALWAYS.fullmatch(rule.expr.strip())), None)
    if rule is None:
        return {}
    ends = reached(read_route(route), {"alertname": rule.name, **rule.labels})
    if not ends:
        return {}
    every = format_duration(ends[0].route.repeat_interval_s)
    return {"alert": rule.name, "receiver": ends[0].route.receiver, "every": every}
