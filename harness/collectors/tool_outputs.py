"""Tools: records what promtool and amtool say of the rendered configuration, and the files of the stack folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from ruamel.yaml import YAML

from tocsin.harness.collectors.collector import CollectedRun
from tocsin.harness.collectors.server_queries import Prometheus
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.evidence.rendered_config import LoadedRule, RenderedConfig
from tocsin.harness.provisioning.program_lookup import Program, run_program
from tocsin.harness.provisioning.programs import cache_folder, find

FOLDER = "tools"
DEFAULT = "tocsin-default"
"""Stands for the root's receiver while routes are tested, to tell it from one that a route names."""
_TIMEOUT_S = 15
_MOST_FILES = 20_000


def record_tools(live: LiveStack, run: CollectedRun, journal: Journal) -> None:
    """Write `config/tools/` of the run directory. A program that is not here leaves no file: its checks are unknown."""
    config = run.folder / "config"
    configuration = RenderedConfig.read(run.folder)
    if not configuration.rules and not configuration.alertmanager:  # nothing was rendered
        return
    target = config / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    _write_json(target / "files.json", _files(live.stack.folder))
    with suppress(Exception):  # a Prometheus that is down declares nothing
        _write_json(target / "metadata.json", Prometheus(live).declared())
    missing = []
    promtool, amtool = find("promtool", cache_folder()), find("amtool", cache_folder())
    if promtool is None:
        missing.append("promtool")
    else:
        _run_promtool(promtool, live, configuration, config)
    if amtool is None:
        missing.append("amtool")
    elif live.stack.alertmanager is not None:
        text = _output(amtool, ["check-config", live.stack.alertmanager], config)
        (target / "amtool_config.txt").write_text(text, encoding="utf-8")
        _write_json(target / "routes.json", _routes(amtool, configuration, live.work))
    if missing:
        journal.note("tools", missing=missing, detail="Run `tocsin setup`; rules/valid is unknown without them.")


def _run_promtool(promtool: Program, live: LiveStack, configuration: RenderedConfig, config: Path) -> None:
    rules = sorted({rule.file for rule in configuration.rules})
    if rules:
        text = _output(promtool, ["check", "rules", "--lint=all", "--lint-fatal", *rules], config)
        (config / FOLDER / "promtool_rules.txt").write_text(text, encoding="utf-8")
    if live.stack.prometheus is not None:
        text = _output(promtool, ["check", "config", live.stack.prometheus], config)
        (config / FOLDER / "promtool_config.txt").write_text(text, encoding="utf-8")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _files(folder: Path) -> list[str]:
    files: list[str] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        files += [str(Path(place, name).relative_to(folder)) for name in sorted(names)]
        if len(files) > _MOST_FILES:
            break
    return files[:_MOST_FILES]


def _output(program: Program, argv: Iterable[str], cwd: Path) -> str:
    """Return what a program printed and, in a last line, its exit status."""
    try:
        done = run_program([str(program.path), *argv], program.environment, timeout_s=_TIMEOUT_S, cwd=cwd)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__}: {error}\n"
    return f"{done.stdout.rstrip()}\nexit {done.returncode}\n"


def _routes(amtool: Program, configuration: RenderedConfig, work: Path) -> list[dict[str, object]]:
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


def _route(amtool: Program, file: Path, rule: LoadedRule, default: str) -> dict[str, object]:
    labels = {"alertname": rule.name, **_fixed(rule)}
    argv = ["config", "routes", "test", f"--config.file={file}", *(f"{name}={value}" for name, value in labels.items())]
    text = _output(amtool, argv, file.parent)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Warning:")]
    receivers, output = list[str](), " ".join(lines)
    if lines and lines[-1] == "exit 0":
        receivers, output = lines[0].split(","), ""
    by_default = DEFAULT in receivers
    if by_default:
        receivers[receivers.index(DEFAULT)] = default
    return {"alert": rule.name, "labels": labels, "receivers": receivers, "by_default": by_default, "output": output}
