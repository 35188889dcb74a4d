"""tocsin ls: lists what there is to name: scenarios, checks, faults, payloads, arrivals, stacks, engines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


def ls() -> int:
    """List what a scenario or an option may name.

    Scenarios, checks, faults, payloads, arrivals, stacks and engines, each with its summary.
    """
    from tocsin.harness.cli.console import show
    from tocsin.harness.core.errors import PASS

    for title, rows in sections():
        show(_table(title, rows))
    return PASS


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (title, (name, summary) per thing) in the order they are shown."""
    from tocsin.assertions import ALL as CHECKS
    from tocsin.assertions import SUITE
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.faults import ALL as FAULTS
    from tocsin.harness.traffic.pacers import ALL as PACERS

    scenarios = engine_registry.folder_named("scenarios")
    files = engine_registry.scenario_files(scenarios) if scenarios.is_dir() else []
    return [
        (f"scenarios ({scenarios.name}/)", [(path.stem, _summary(path)) for path in files]),
        ("checks", sorted((check.id, check.summary) for check in CHECKS)),
        ("checks of a suite.yaml", sorted((check.id, check.summary) for check in SUITE)),
        ("faults", sorted((fault.kind, fault.summary) for fault in FAULTS)),
        ("payloads", _payloads()),
        ("arrivals", [(pacer.name, pacer.summary) for pacer in PACERS]),
        ("stacks", [(folder.name, _summary(folder / "stack.yaml")) for folder in engine_registry.known_stacks()]),
        ("engines", sorted(engine_registry.ENGINES.items())),
    ]


def _payloads() -> list[tuple[str, str]]:
    from tocsin.harness.traffic.payloads import CATALOGUE

    return sorted((name, _first_line(model.__doc__)) for name, model in CATALOGUE.items())


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _summary(path: Path) -> str:
    """Return the summary of a YAML file without reading the rest: a file with mistakes is listed too."""
    found = re.search(r"^summary:[ \t]*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found.group(1).strip().strip("'\"") if found else "(no summary)"


def _table(title: str, rows: Iterable[tuple[str, str]]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    table.add_column(no_wrap=True, min_width=18)
    table.add_column(ratio=1, overflow="fold")
    for name, summary in rows:
        table.add_row(Text(name), Text(summary))
    return Group(Text(title, style="bold"), table, Text(""))
