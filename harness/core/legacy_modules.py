"""Module names of earlier versions that people's files may hold, and what they are called now."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

COMMANDS = {"harness.pager": "tocsin.harness.sidecars.pager"}
"""What a stack.yaml may start with `python -m`."""

_MODULES = {
    "harness": "tocsin.harness",
    "harness.traffic": "tocsin.harness.traffic",
    "harness.traffic.locust": "tocsin.harness.traffic.locust",
    "harness.traffic.locust.own": "tocsin.harness.traffic.locust.custom_users",
}
"""What a file of Locust users may import."""


def renewed(argv: Iterable[str]) -> tuple[str, ...]:
    """Return a command line with today's module names."""
    return tuple(COMMANDS.get(word, word) for word in argv)


def provide_for(file: Path) -> None:
    """Let a file of users import the old names, unless a `harness` of their own lies beside it."""
    own = file.parent / "harness"
    if own.is_dir() or own.with_suffix(".py").is_file():
        return
    for old, new in _MODULES.items():
        sys.modules.setdefault(old, importlib.import_module(new))
