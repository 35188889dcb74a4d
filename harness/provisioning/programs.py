"""Finds the programs a stack needs, and on request fetches the missing ones into a cache folder.

A fitting program on the PATH comes first, then one in the cache. Nothing is installed on the system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from tocsin.harness.core.errors import MissingProgram
from tocsin.harness.provisioning import install
from tocsin.harness.provisioning.program_lookup import Absent, Program, look_up
from tocsin.harness.provisioning.program_lookup import look_up_all as look_up_all
from tocsin.harness.provisioning.program_manifest import MANIFEST

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def cache_folder() -> Path:
    """Return TOCSIN_CACHE, else /var/cache/tocsin for root (servers run under other uids), else the XDG cache."""
    if folder := os.environ.get("TOCSIN_CACHE"):
        return Path(folder).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/tocsin")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"


def find(name: str, cache: Path) -> Program | None:
    """Return the program, or None when no fitting one is here."""
    result = look_up(name, cache)
    return result if isinstance(result, Program) else None


def find_all(names: Iterable[str], cache: Path) -> dict[str, Program]:
    """Return every program by name. MissingProgram names all that are missing, and what is here instead."""
    return _require_all(look_up_all(names, cache), cache, hint="Run `tocsin setup`.")


def setup(names: Iterable[str], cache: Path, report: Callable[[str], None]) -> dict[str, Program]:
    """Fetch the missing programs into `cache` and return all. `report` gets a sentence per step.

    May be repeated (what is there is kept), interrupted (a half-done tree never counts) and run twice at once.
    """
    results = look_up_all(names, cache)
    absent = [name for name, result in results.items() if isinstance(result, Absent)]
    if absent and all(name in MANIFEST for name in absent):
        install.install_into_cache(absent, cache, report)
        results = look_up_all(results, cache)
    return _require_all(results, cache, hint="Correct what was seen, or put a fitting one on the PATH.")


def _require_all(results: dict[str, Program | Absent], cache: Path, *, hint: str) -> dict[str, Program]:
    missing = [str(result) for result in results.values() if isinstance(result, Absent)]
    if missing:
        listed = "".join(f"\n  {line}" for line in missing)
        raise MissingProgram(f"Not on the PATH and not in {cache}:{listed}\n", hint=hint)
    return {name: result for name, result in results.items() if isinstance(result, Program)}


def memory_mib() -> int:
    """Return the MiB of memory that new processes may take: what is available, at most the control group's limit."""
    limits = [path.read_text().strip() for path in _LIMITS if path.is_file()]
    most = [int(text) for text in limits if text.isdigit()]  # version 2 writes `max` for no limit
    return min([int(psutil.virtual_memory().available), *most]) // 2**20


def disk_free_mib(path: Path) -> int:
    """Return the MiB that are free where `path` is, or will be once it exists."""
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    return int(psutil.disk_usage(str(existing)).free // 2**20)
