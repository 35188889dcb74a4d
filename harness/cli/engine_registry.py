"""What several verbs look up by name: engines, stack folders, scenario files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tocsin.harness

if TYPE_CHECKING:
    from tocsin.harness.declarations.stack import Stack
    from tocsin.harness.engines.contract import Engine

ROOT = Path(tocsin.harness.__file__).resolve().parent.parent
ENGINES = {
    "local": "Native processes on free loopback ports; programs from the PATH or the cache.",
    "compose": "Docker Compose on an engine of this machine; compose:VARIANT picks a variant of the stack.",
    "external": "A running system, at the addresses in stack.yaml; starts nothing, and needs --allow-faults.",
}


def engine(name: str) -> Engine:
    """Return the engine of that name, `compose:VARIANT` with its variant; UsageError if there is none."""
    from tocsin.harness.core.errors import UsageError
    from tocsin.harness.planning.diagnostics import unknown_name

    kind, _, variant = name.partition(":")
    if kind not in ENGINES or (variant and kind != "compose"):
        raise UsageError([unknown_name("command line", "engine", name, ENGINES)])
    if kind == "compose":
        from tocsin.harness.cli.console import say
        from tocsin.harness.engines.compose.engine import ComposeEngine

        return ComposeEngine(variant=variant or None, report=say)
    if kind == "external":
        from tocsin.harness.engines.external.engine import ExternalEngine

        return ExternalEngine()
    from tocsin.harness.engines.local.engine import LocalEngine

    return LocalEngine()


def memory_mib_of(stack: Stack) -> int:
    """Return the memory that the stack's roles need together, in MiB."""
    return sum(role.memory_mib for role in stack.roles.values())


def folder_named(name: str) -> Path:
    """Return NAME if it is in the current folder, else the one that came with Tocsin."""
    return Path(name) if Path(name).is_dir() else ROOT / name


def scenario_files(folder: Path) -> list[Path]:
    """Return the scenario files that lie directly in a folder, by name, without suite.yaml; none if it is no folder."""
    files = (path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml") and path.is_file())
    return sorted(path for path in files if path.name != "suite.yaml")
