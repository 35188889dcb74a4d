"""Limits what a role's container may use, and measures what it uses.

Memory is limited through the Docker engine. Open files and writes are limited in the kernel, as on the local engine,
which takes root on the machine where the containers run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.host_capabilities import kernel_capabilities
from tocsin.harness.engines.compose.container import Container, docker_errors
from tocsin.harness.engines.kernel import open_files
from tocsin.harness.engines.kernel.cgroups import ROOT, membership
from tocsin.harness.engines.kernel.memory_cgroups import limit_below_usage
from tocsin.harness.engines.kernel.process_tree import tree_usage
from tocsin.harness.engines.kernel.write_cgroups import WriteCgroup

LEAST_MIB = 6
"""The Docker engine accepts no smaller limit."""
_MIB = 1 << 20
_WITHIN_S = 5.0
_PROC = Path("/proc")
_REFUSED = ("unable to set memory limit", "resource busy")
"""What runc says when a version 1 control group refuses a limit below its usage."""
_ALLOCATE = ("dd", "if=/dev/zero", "of=/dev/null", "bs=16M", "count=1")
"""Allocates memory inside the container."""


def capabilities(stack: Stack, *, root_on_host: bool) -> frozenset[str]:
    """Return what can be done to a role's container (`fault.CAPABILITIES`).

    `root_on_host`: we are root on the machine where the containers run, so the kernel can be used too.
    """
    able = {"start", "signal", "freeze", "run_in", "limit:memory", "disconnect"}
    if root_on_host:
        able |= kernel_capabilities([name for name, disk in stack.disks.items() if disk.inside])
    return frozenset(able)


@dataclass(frozen=True, kw_only=True)
class ContainerLimits:
    """The limits of one container; `folders` are where its small disks are mounted on this machine.

    Limits before ours are written into the work folder, so that another process can restore them.
    """

    container: Container
    work: Path
    folders: tuple[Path, ...] = ()

    def set(self, limits: Mapping[str, float]) -> None:
        """Set limits; StackError where the kernel of another machine would have to."""
        if "open_files" in limits:
            open_files.lower(self.work, self.container.name, self._pid_here(), int(limits["open_files"]))
        if "memory_mib" in limits:
            self._limit_memory(limits["memory_mib"])
        if "writes_per_s" in limits:
            self._write_cgroup().limit(limits["writes_per_s"])

    def lift(self) -> None:
        """Lift every limit that was set."""
        open_files.restore(self.work, self.container.name, self.container.pid or None)
        if self._memory_before.exists():
            self._set_memory(json.loads(self._memory_before.read_text(encoding="ascii")))
            self._memory_before.unlink()
        if self.folders and self.container.pid:
            self._write_cgroup().lift()

    def usage(self) -> dict[str, float]:
        """Return its memory by the Docker engine, and its open files where the kernel of its host can be asked.

        Memory that can be given back at once counts only while there is a limit of ours.
        """
        usage = self.container.measure()
        cached_mib = usage.pop("cached_mib", 0.0)
        if not self._memory_before.exists():
            usage.pop("memory_limit_mib", None)
            if "memory_mib" in usage:  # missing for a container that does not run
                usage["memory_mib"] = max(usage["memory_mib"] - cached_mib, 0.0)
        with suppress(StackError, KeyError):
            pid = self._pid_here()
            usage |= open_files.lowest_limit(pid)
            usage["open_files"] = tree_usage(pid)["open_files"]
        return usage

    @property
    def _memory_before(self) -> Path:
        """The file that holds the memory limit before ours, in bytes."""
        return self.work / f"memory-{self.container.name}.json"

    def _limit_memory(self, mib: float) -> None:
        """Limit the memory. If the container uses more, the kernel kills its largest process."""
        if not self._memory_before.exists():
            limit = self.container.inspect()["HostConfig"].get("Memory") or 0
            self._memory_before.write_text(json.dumps(int(limit)), encoding="ascii")
        limit_below_usage(
            self.container.name,
            max(mib, LEAST_MIB),
            set_bytes=self._set_memory,
            used_mib=lambda: self.container.measure().get("memory_mib", 0.0),
            allocate=self._allocate,
            within_s=_WITHIN_S,
        )

    def _allocate(self) -> None:
        with suppress(StackError):  # it ends with the container
            self.container.run_in(_ALLOCATE, within_s=_WITHIN_S)

    def _set_memory(self, size: int) -> bool:
        """Set the limit in bytes, 0 for all of the machine's memory; return False where the usage is higher."""
        api = self.container.api
        with docker_errors(f"limit the memory of {self.container.name}"):
            limit = size or int(api.info()["MemTotal"])
            try:
                api.update_container(self.container.id, mem_limit=limit, memswap_limit=limit)
            except APIError as error:
                if any(sign in str(error.explanation) for sign in _REFUSED):
                    return False
                raise
        return True

    def _pid_here(self) -> int:
        """Return the pid of its first process; StackError if it is on another machine or does not run."""
        pid = self.container.pid
        if not any(self.container.id in group for _, group in self._membership()):
            message = f"{self.container.name} has no process on this machine, so only its memory can be limited."
            raise StackError(message, hint="Play with `--engine local`.")
        return pid

    def _membership(self) -> list[tuple[str, str]]:
        """Return (controllers, control group) of its first process; groups are named after the container."""
        return membership(_PROC / str(self.container.pid) / "cgroup")

    def _write_cgroup(self) -> WriteCgroup:
        self._pid_here()
        groups = dict(self._membership())
        for controllers, group in groups.items():
            if "blkio" in controllers.split(","):
                return WriteCgroup(path=ROOT / "blkio" / group, folders=self.folders)
        return WriteCgroup(path=ROOT / groups[""], folders=self.folders)
