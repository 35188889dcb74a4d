"""Tools: what promtool and amtool say of the rendered configuration, and which files the stack folder holds."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tocsin.harness.collectors.collector import Run
from tocsin.harness.collectors.server_queries import Prometheus
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.evidence.rendered_config import LoadedRule, RenderedConfig
from tocsin.harness.provisioning.program_lookup import Program
from tocsin.harness.provisioning.programs import cache_folder, find

FOLDER = "tools"
DEFAULT = "tocsin-default"
"""Stands for the root's receiver while routes are tested, to tell it from one that a route names."""
_TIMEOUT_S = 15
_MOST_FILES = 20_000


def record_tools(live: LiveStack, run: Run, journal: Journal) -> None:
    """Write `config/tools/` of the run directory. A program that is not here leaves no file: its checks are unknown."""
    config = run.folder / "config"
    configuration = RenderedConfig.read(run.folder)
    if not configuration.rules and not configuration.alertmanager:  # nothing was rendered
        return
    target = config / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    files = json.dumps(_files(live.stack.folder), indent=0)
    (target / "files.json").write_text(files + "\n", encoding="utf-8")
    with suppress(Exception):  # a Prometheus that is down declares nothing
        declared = json.dumps(Prometheus(live).declared(), indent=0)
        (target / "metadata.json").write_text(declared + "\n", encoding="utf-8")
    promtool, amtool = find("promtool", cache_folder()), find("amtool", cache_folder())
    prometheus, alertmanager = live.stack.prometheus, live.stack.alertmanager
    if promtool is not None:
        rules = sorted({rule.file for rule in configuration.rules})
        if rules:
            text = _output(promtool, ["check", "rules", "--lint=all", "--lint-fatal", *rules], config)
            (target / "promtool_rules.txt").write_text(text, encoding="utf-8")
        if prometheus is not None:
            text = _output(promtool, ["check", "config", prometheus], config)
            (target / "promtool_config.txt").write_text(text, encoding="utf-8")
    if amtool is not None and alertmanager is not None:
        text = _output(amtool, ["check-config", alertmanager], config)
        (target / "amtool_config.txt").write_text(text, encoding="utf-8")
        rows = _routes(amtool, configuration, live.work)
        (target / "routes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    lacking = [name for name, found in (("promtool", promtool), ("amtool", amtool)) if found is None]
    if lacking:
        journal.note("tools", missing=lacking, detail="Run `tocsin setup`; rules/valid is unknown without them.")


def _files(folder: Path) -> list[str]:
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [str(Path(place, name).relative_to(folder)) for name in sorted(names)]
        if len(found) > _MOST_FILES:
            break
    return found[:_MOST_FILES]


def _output(program: Program, argv: Iterable[str], cwd: Path) -> str:
    """Return what a program printed and, in a last line, its exit status."""
    try:
        done = subprocess.run(
            [str(program.path), *argv],
            cwd=cwd,
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}\n"
    return f"{done.stdout.rstrip()}\nexit {done.returncode}\n"


def _routes(amtool: Program, configuration: RenderedConfig, work: Path) -> list[dict[str, Any]]:
    """Return, per alert, the receivers to which its labels lead, and whether only the root's did."""
    root = dict(configuration.alertmanager.get("route") or {})
    if not root:
        return []
    receivers = [*(configuration.alertmanager.get("receivers") or ()), {"name": DEFAULT}]
    marked = {**configuration.alertmanager, "route": {**root, "receiver": DEFAULT}, "receivers": receivers}
    file = work / "routes.yml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(marked, out)
    alerts = {(rule.name, *sorted(_fixed(rule).items())): rule for rule in configuration.alerts()}
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda rule: _route(amtool, file, rule, str(root.get("receiver", ""))), alerts.values()))


def _fixed(rule: LoadedRule) -> Mapping[str, str]:
    return {name: value for name, value in rule.labels.items() if "{{" not in value}


def _route(amtool: Program, file: Path, rule: LoadedRule, default: str) -> dict[str, Any]:
    labels = {"alertname": rule.name, **_fixed(rule)}
    argv = ["config", "routes", "test", f"--config.file={file}", *(f"{name}={value}" for name, value in labels.items())]
    text = _output(amtool, argv, file.parent)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Warning:")]
    names = lines[0].split(",") if lines and lines[-1] == "exit 0" else []
    by_default = DEFAULT in names
    receivers = [default if name == DEFAULT else name for name in names]
    output = "" if names else " ".join(lines)
    return {"alert": rule.name, "labels": labels, "receivers": receivers, "by_default": by_default, "output": output}
