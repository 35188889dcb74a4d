"""Finds the programs a stack needs, and on request brings the missing ones into a cache folder.

A fitting program on the PATH is used first, then one in the cache. Nothing is ever installed on the system.

    recipes     which programs, which versions fit        sighting   looks for them
    provision   brings what is missing, by way of         unpack, maven
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from tocsin.harness.core.errors import MissingProgram
from tocsin.harness.provisioning import install
from tocsin.harness.provisioning.program_lookup import Absent, Program, look, look_all
from tocsin.harness.provisioning.program_manifest import RECIPES

__all__ = [
    "Absent",
    "Program",
    "cache_folder",
    "disk_free_mib",
    "find",
    "find_all",
    "look",
    "look_all",
    "memory_mib",
    "setup",
]

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def cache_folder() -> Path:
    """Return TOCSIN_CACHE, else /var/cache/tocsin for root (servers run under other uids), else the XDG cache."""
    if named := os.environ.get("TOCSIN_CACHE"):
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/tocsin")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"


def find(name: str, cache: Path) -> Program | None:
    """Return the program, or None when no fitting one is here."""
    sighting = look(name, cache)
    return sighting if isinstance(sighting, Program) else None


def find_all(names: Iterable[str], cache: Path) -> dict[str, Program]:
    """Return every program by name. MissingProgram names all that are missing, with what was seen instead."""
    return _all_of(look_all(names, cache), cache, hint="Run `tocsin setup`.")


def setup(names: Iterable[str], cache: Path, report: Callable[[str], None]) -> dict[str, Program]:
    """Find every program, after bringing the missing ones into `cache`. `report` gets a sentence per step.

    May be repeated (what is there is kept), interrupted (a half-done tree never counts) and run twice at once.
    """
    sightings = look_all(names, cache)
    absent = [name for name, seen in sightings.items() if isinstance(seen, Absent)]
    if absent and all(name in RECIPES for name in absent):
        install.bring(absent, cache, report)
        sightings = look_all(sightings, cache)
    return _all_of(sightings, cache, hint="Correct what was seen, or put a fitting one on the PATH.")


def _all_of(sightings: dict[str, Program | Absent], cache: Path, *, hint: str) -> dict[str, Program]:
    missing = [str(seen) for seen in sightings.values() if isinstance(seen, Absent)]
    if missing:
        listed = "".join(f"\n  {line}" for line in missing)
        raise MissingProgram(f"Not on the PATH and not in {cache}:{listed}\n", hint=hint)
    return {name: seen for name, seen in sightings.items() if isinstance(seen, Program)}


def memory_mib() -> int:
    """Memory that new processes may take: what is available, at most the control group's limit."""
    mib = int(psutil.virtual_memory().available // 2**20)
    for limit in _LIMITS:
        text = limit.read_text().strip() if limit.is_file() else ""
        mib = min(mib, int(text) // 2**20) if text.isdigit() else mib
    return mib


def disk_free_mib(path: Path) -> int:
    """Free space where `path` is, or will be once it exists."""
    existing = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    return int(psutil.disk_usage(str(existing)).free // 2**20)
