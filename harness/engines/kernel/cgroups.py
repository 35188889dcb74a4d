"""Where control groups of the kernel can be made here, and what any of them can do; versions 1 and 2.

A group is made below our own, so that whatever limits us limits what is in it too. Files and meanings:
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


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The group below which ours are made, and which version of the kernel's interface it has."""

    parent: Path
    version: int

    def place(self, run_id: str, role: str) -> Path:
        """Return where the group of a role is; it need not exist."""
        return self.parent / f"tocsin-{run_id}-{role}"


def find(first: str, second: str, root: Path = ROOT, own: Path = OWN) -> Shelf | None:
    """Find where groups of a controller can be made, by its names in version 1 and 2.

    None where there is no such place, or we may not write there.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="ascii").splitlines()]
    except OSError:
        return None
    for _, controllers, path in lines:
        if first in controllers.split(","):
            parent = root / first / path.lstrip("/")
            return Shelf(parent=parent, version=1) if _writable(parent) else None
    for _, controllers, path in lines:
        if not controllers:
            return _unified(root, path.lstrip("/"), second)
    return None


def _unified(root: Path, path: str, controller: str) -> Shelf | None:
    """The nearest group above us that hands the controller on: one with processes of its own cannot."""
    place = root / path
    for parent in (place, *place.parents):
        if not parent.is_relative_to(root):
            break
        with suppress(OSError):
            if controller in (parent / "cgroup.subtree_control").read_text(encoding="ascii").split():
                return Shelf(parent=parent, version=2) if _writable(parent) else None
    return None


def _writable(parent: Path) -> bool:
    return os.access(parent, os.W_OK) and os.access(parent / "cgroup.procs", os.W_OK)


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group."""

    place: Path

    def make(self) -> None:
        """Make it, without a limit; StackError if the kernel refuses."""
        try:
            self.place.mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"Cannot make the control group {self.place}: {error.strerror}.") from None

    def add(self, pid: int) -> None:
        """Put a process that has just been started into it; its children follow."""
        self.write("cgroup.procs", str(pid))

    def write(self, name: str, value: str) -> None:
        """Write one of its files; StackError if the kernel refuses."""
        try:
            (self.place / name).write_text(value, encoding="ascii")
        except OSError as error:
            raise StackError(f"Cannot write {value} to {self.place / name}: {error.strerror}.") from None
