"""Finds where a run may make control groups, and makes them; versions 1 and 2 of the kernel's interface.

A group is made below our own, so that our own limits hold for it too. Its files are described in
Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def membership(path: Path) -> list[tuple[str, str]]:
    """Return (controllers, group) for each line of a /proc/<pid>/cgroup; empty when it cannot be read.

    Version 2 names no controllers.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    rows = [line.split(":", 2) for line in lines]
    return [(controllers, group.lstrip("/")) for _, controllers, group in rows]


def find_parent(controller_v1: str, controller_v2: str, root: Path = ROOT, own: Path = OWN) -> Path | None:
    """Return where groups of a controller can be made; None where there is no such place or we may not write."""
    groups = membership(own)
    for controllers, group in groups:
        if controller_v1 in controllers.split(","):
            parent = root / controller_v1 / group
            return parent if _writable(parent) else None
    for controllers, group in groups:
        if not controllers:
            return _find_parent_v2(root, root / group, controller_v2)
    return None


def _find_parent_v2(root: Path, own: Path, controller: str) -> Path | None:
    """Return the nearest group that passes the controller on to its children; one with processes cannot."""
    for parent in (own, *own.parents):
        if not parent.is_relative_to(root):
            break
        with suppress(OSError):
            if controller in (parent / "cgroup.subtree_control").read_text(encoding="ascii").split():
                return parent if _writable(parent) else None
    return None


def _writable(parent: Path) -> bool:
    return os.access(parent, os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK)


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """One control group, known by its folder."""

    path: Path

    def make(self) -> None:
        """Make it, without a limit; StackError if the kernel refuses."""
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"Cannot make the control group {self.path}: {error.strerror}.") from None

    def add(self, pid: int) -> None:
        """Move a process that was just started into it; its children will be in it too."""
        self.write("cgroup.procs", str(pid))

    def write(self, name: str, value: str) -> None:
        """Write one of its files; StackError if the kernel refuses."""
        try:
            (self.path / name).write_text(value, encoding="ascii")
        except OSError as error:
            raise StackError(f"Cannot write {value} to {self.path / name}: {error.strerror}.") from None
