"""Control groups that slow a role's writes to its own small disks; the kernel's blkio (version 1) or io (version 2).

A disk of ours is the only thing on its device, so nobody else's writes are held up. Only writes that go to the device
at once are counted for whoever makes them, so such a disk is mounted `sync`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.engines.kernel import cgroups
from tocsin.harness.engines.kernel.cgroups import Group

_FIRST = "blkio.throttle.write_iops_device"


def shelf() -> cgroups.Shelf | None:
    """Return where such groups can be made here, None where they cannot."""
    return cgroups.find("blkio", "io")


@dataclass(frozen=True, kw_only=True)
class WriteGroup(Group):
    """One group; `folders` are where the role's disks are mounted."""

    folders: tuple[Path, ...]

    def limit(self, per_s: float) -> None:
        """Let the role make so many writes per second to each of its disks (a line of a log takes about three)."""
        for device in self._devices():
            self._set(device, str(max(int(per_s), 1)))

    def lift(self) -> None:
        """Let it write as fast as the disks take it."""
        for device in self._devices():
            self._set(device, "")

    def _set(self, device: str, per_s: str) -> None:
        if (self.place / _FIRST).exists():
            self.write(_FIRST, f"{device} {per_s or 0}")
        else:
            self.write("io.max", f"{device} wiops={per_s or 'max'}")

    def _devices(self) -> list[str]:
        """Return the numbers of the devices below the folders; a tmpfs has none of its own."""
        return [f"{os.major(number)}:{os.minor(number)}" for number in self._numbers() if os.major(number)]

    def _numbers(self) -> list[int]:
        return [os.stat(folder).st_dev for folder in self.folders if os.path.ismount(folder)]
