"""tocsin ls: lists what a scenario or an option may name, all of it or one kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

Section = tuple[str, list[tuple[str, str]]]
"""A title, and (name, summary) of each thing below it."""


def ls(
    word: Annotated[str | None, typer.Argument(metavar="WORD", help="The kind to list; all without it.")] = None,
) -> int:
    """List the names that scenarios and options may use.

    WORD is one of scenarios, checks, faults, payloads, arrivals, users, stacks, engines.
    """
    from tocsin.harness.cli.console import show
    from tocsin.harness.cli.mistakes import usage_error
    from tocsin.harness.core.errors import PASS
    from tocsin.harness.planning.diagnostics import did_you_mean

    if word is not None and word not in SECTIONS:
        raise usage_error("WORD", word, f"one of: {', '.join(SECTIONS)}", did_you_mean(word, SECTIONS))
    words = SECTIONS if word is None else [word]
    for title, rows in (section for name in words for section in SECTIONS[name]()):
        show(_table(title, rows))
    return PASS


def _scenarios() -> list[Section]:
    from tocsin.harness.cli.engine_registry import folder_named, scenario_files

    folder = folder_named("scenarios")
    files = scenario_files(folder) if folder.is_dir() else []
    return [(f"scenarios ({folder.name}/)", [(path.stem, _summary(path)) for path in files])]


def _checks() -> list[Section]:
    from tocsin.assertions import ALL, SUITE

    return [
        ("checks", sorted((check.id, check.summary) for check in ALL)),
        ("checks of a suite.yaml", sorted((check.id, check.summary) for check in SUITE)),
    ]


def _faults() -> list[Section]:
    from tocsin.harness.faults import by_kind

    return [("faults", sorted((kind, fault.summary) for kind, fault in by_kind().items()))]


def _payloads() -> list[Section]:
    from tocsin.harness.traffic.payloads import CATALOGUE

    return [("payloads", sorted((name, _first_line(model.__doc__)) for name, model in CATALOGUE.items()))]


def _arrivals() -> list[Section]:
    from tocsin.harness.traffic.pacers import ALL

    return [("arrivals", [(pacer.name, pacer.summary) for pacer in ALL])]


def _users() -> list[Section]:
    from tocsin.harness.traffic import USERS

    summary = "Tocsin's own client, which sends the payload to the service."
    own = "A Locust User class of your own, in a file beside the scenario."
    return [("users", [*((name, summary) for name in USERS), ("FILE.py:CLASS", own)])]


def _stacks() -> list[Section]:
    from tocsin.harness.cli.engine_registry import known_stacks

    return [("stacks", [(folder.name, _summary(folder / "stack.yaml")) for folder in known_stacks()])]


def _engines() -> list[Section]:
    from tocsin.harness.cli.engine_registry import ENGINES

    return [("engines", sorted(ENGINES.items()))]


SECTIONS: Mapping[str, Callable[[], list[Section]]] = {
    "scenarios": _scenarios,
    "checks": _checks,
    "faults": _faults,
    "payloads": _payloads,
    "arrivals": _arrivals,
    "users": _users,
    "stacks": _stacks,
    "engines": _engines,
}
"""Word -> what is listed for it, in the order in which all are shown."""


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
