"""Writes the rendered configuration of a run for tests: the smallest prometheus.yml, rule files, alertmanager.yml."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROUTE = {"receiver": "ticket", "routes": [{"receiver": "page", "matchers": ['severity="critical"']}]}
ANNOTATIONS = {
    "summary": "{{ $labels.job }} fails.",
    "description": "{{ $value | humanizePercentage }} of the last 5 minutes failed.",
    "runbook_url": "runbooks/HighErrorRate.md",
}


def alert(name: str = "HighErrorRate", expr: str = "up == 0", **more: Any) -> dict[str, Any]:
    """An alerting rule with severity critical and all annotations; `labels=None` leaves a key out."""
    rule = {"alert": name, "expr": expr, "labels": {"severity": "critical"}, "annotations": ANNOTATIONS, **more}
    return {key: value for key, value in rule.items() if value is not None}


def write(
    folder: Path,
    *rules: Mapping[str, Any],
    group: Mapping[str, Any] | None = None,
    jobs: Mapping[str, str] | None = None,
    route: Mapping[str, Any] | None = None,
    rule_files: Iterable[str] = ("/tmp/run/config/prometheus/rules/*.yml",),
) -> Path:
    """Write `config/` below a run directory: one group of these rules in rules/a.yml; jobs -> scrape interval."""
    config = folder / "config"
    (config / "prometheus" / "rules").mkdir(parents=True, exist_ok=True)
    (config / "alertmanager").mkdir(exist_ok=True)
    scraped = [{"job_name": name, "scrape_interval": every} for name, every in (jobs or {}).items()]
    _yaml(
        config / "prometheus" / "prometheus.yml",
        {"global": {"scrape_interval": "1s"}, "rule_files": list(rule_files), "scrape_configs": scraped},
    )
    groups = [{"name": "a", **(group or {}), "rules": [dict(rule) for rule in rules]}]
    _yaml(config / "prometheus" / "rules" / "a.yml", {"groups": groups})
    receivers = [{"name": name} for name in ("page", "ticket", "watchdog")]
    _yaml(config / "alertmanager" / "alertmanager.yml", {"route": dict(route or ROUTE), "receivers": receivers})
    return config


def write_tools(folder: Path, **outputs: Any) -> None:
    """Write `config/tools/`: name -> text (a .txt file) or a JSON value."""
    tools = folder / "config" / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    for name, value in outputs.items():
        if isinstance(value, str):
            (tools / f"{name}.txt").write_text(value)
        elif value is not None:
            (tools / f"{name}.json").write_text(json.dumps(value))


def _yaml(path: Path, content: Any) -> None:
    with path.open("w") as file:
        YAML(typ="safe").dump(content, file)
