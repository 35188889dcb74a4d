"""tocsin ls: lists what a scenario or an option may name, all of it or one kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType


def ls(
    word: Annotated[str | None, typer.Argument(metavar="WORD", help="The kind to list; all without it.")] = None,
) -> int:
    """List the names that scenarios and options may use.

    WORD is one of scenarios, checks, faults, payloads, arrivals, users, stacks, engines.
    """
    from tocsin.harness.cli.console import show
    from tocsin.harness.cli.usage_errors import usage_error
    from tocsin.harness.core.errors import PASS
    from tocsin.harness.planning.diagnostics import did_you_mean

    listed = sections()
    words = list(dict.fromkeys(kind for kind, _, _ in listed))
    if word is not None and word not in words:
        raise usage_error("WORD", word, f"one of: {', '.join(words)}", did_you_mean(word, words))
    for kind, title, rows in listed:
        if word in (None, kind):
            show(_table(title, rows))
    return PASS


def sections() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return (word, title, (name, summary) of each thing) in the order in which they are shown."""
    from tocsin.assertions import ALL as CHECKS
    from tocsin.assertions import SUITE
    from tocsin.harness import faults
    from tocsin.harness.cli import engine_registry
    from tocsin.harness.traffic import USERS
    from tocsin.harness.traffic.pacers import ALL as PACERS
    from tocsin.harness.traffic.payloads import CATALOGUE as PAYLOADS

    folder = engine_registry.folder_named("scenarios")
    files = engine_registry.scenario_files(folder)
    users = [(name, "Tocsin's own client, which sends the payload to the service.") for name in USERS]
    users.append(("FILE.py:CLASS", "A Locust User class of your own, in a file beside the scenario."))
    stacks = sorted(path.parent for path in (engine_registry.ROOT / "stacks").glob("*/stack.yaml"))
    return [
        ("scenarios", f"scenarios ({folder.name}/)", [(path.stem, _summary(path)) for path in files]),
        ("checks", "checks", sorted((check.id, check.summary) for check in CHECKS)),
        ("checks", "checks of a suite.yaml", sorted((check.id, check.summary) for check in SUITE)),
        ("faults", "faults", [(kind, fault.summary) for kind, fault in faults.by_kind().items()]),
        ("payloads", "payloads", sorted((name, _first_line(model.__doc__)) for name, model in PAYLOADS.items())),
        ("arrivals", "arrivals", [(pacer.name, pacer.summary) for pacer in PACERS]),
        ("users", "users", users),
        ("stacks", "stacks", [(stack.name, _summary(stack / "stack.yaml")) for stack in stacks]),
        ("engines", "engines", sorted(engine_registry.ENGINES.items())),
    ]


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _summary(path: Path) -> str:
    """Return the summary of a YAML file without parsing it: a file with mistakes is listed too."""
    line = re.search(r"^summary:[ \t]*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return line.group(1).strip().strip("'\"") if line else "(no summary)"


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
