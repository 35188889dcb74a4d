"""Control groups that slow a role's writes to its small disks: blkio (version 1) or io (version 2) of the kernel.

Such a disk is the only file system on its device, so nobody else is slowed. It is mounted `sync`, because the kernel
counts a write for its process only if it goes to the device at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.engines.kernel.cgroups import Cgroup, find_parent

_IOPS_V1 = "blkio.throttle.write_iops_device"


def parent() -> Path | None:
    """Return where such groups can be made on this machine, None where they cannot."""
    return find_parent("blkio", "io")


@dataclass(frozen=True, kw_only=True)
class WriteCgroup(Cgroup):
    """The group of a role; `folders` are where its disks are mounted."""

    folders: tuple[Path, ...]

    def limit(self, per_s: float) -> None:
        """Limit the writes per second to each of the disks; a line of a log takes about three."""
        for device in self._devices():
            self._set(device, str(max(int(per_s), 1)))

    def lift(self) -> None:
        """Lift the limit."""
        for device in self._devices():
            self._set(device, None)

    def _set(self, device: str, per_s: str | None) -> None:
        if (self.path / _IOPS_V1).exists():
            self.write(_IOPS_V1, f"{device} {per_s or 0}")
        else:
            self.write("io.max", f"{device} wiops={per_s or 'max'}")

    def _devices(self) -> list[str]:
        """Return `major:minor` of the devices that are mounted on the folders; a tmpfs has none."""
        return [f"{os.major(number)}:{os.minor(number)}" for number in self._numbers() if os.major(number)]

    def _numbers(self) -> list[int]:
        return [os.stat(folder).st_dev for folder in self.folders if os.path.ismount(folder)]
