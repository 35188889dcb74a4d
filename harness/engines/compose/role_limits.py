"""Limits of a role's container while it runs, and what it uses of them.

Memory is limited through the engine, as whoever may use it can. Open files and writes are limited in the kernel, as
on the local engine: that takes root on the very machine on which the containers run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.compose.container import Container, telling
from tocsin.harness.engines.kernel import disks, open_files
from tocsin.harness.engines.kernel.cgroups import ROOT
from tocsin.harness.engines.kernel.process_tree import used
from tocsin.harness.engines.kernel.write_cgroups import WriteGroup

LIMITS = ("memory_mib", "open_files", "writes_per_s")
LEAST_MIB = 6
"""The engine takes no smaller limit."""
_MIB = 1 << 20
_WITHIN_S = 5.0
_AGAIN_S = 0.05
_HELD = ("unable to set memory limit", "resource busy")
"""What runc says where control groups 1 refuse a limit below what is held."""
_PUSH = ("dd", "if=/dev/zero", "of=/dev/null", "bs=16M", "count=1")
"""Asks for so much memory at once, inside."""


def handles(stack: Stack, *, near: bool) -> frozenset[str]:
    """Return what can be done to the container of a role while it runs.

    `near` tells that we are root where the containers run: then the kernel can be asked beside the engine.
    """
    able = {"start", "signal", "freeze", "run_in", "limit:memory", "disconnect"}
    if near:
        inside = [name for name, disk in stack.disks.items() if disk.inside]
        able |= {"limit:open_files"} if open_files.able() else set()
        able |= {f"disk:{name}" for name in inside} if disks.able() else set()
        able |= {f"slow:{name}" for name in inside} if disks.able_to_slow() else set()
    return frozenset(able)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one container; `folders` are where small disks of its own lie on this machine.

    What a limit was before is written into the work folder, so that another process can lift it.
    """

    container: Container
    work: Path
    folders: tuple[Path, ...] = ()

    def set(self, limits: Mapping[str, float]) -> None:
        """Set limits; StackError for one that cannot be set here."""
        if unknown := sorted(set(limits) - set(LIMITS)):
            raise StackError(f"The compose engine cannot limit {', '.join(unknown)}; it can {', '.join(LIMITS)}.")
        if "open_files" in limits:
            open_files.lower(self.work, self.container.name, self._near(), int(limits["open_files"]))
        if "memory_mib" in limits:
            self._limit_memory(limits["memory_mib"])
        if "writes_per_s" in limits:
            self._writes().limit(limits["writes_per_s"])

    def lift(self) -> None:
        """Lift whatever was limited; nothing where nothing was."""
        open_files.restore(self.work, self.container.name, self.container.pid or None)
        if self._before.exists():
            self._allow_memory(json.loads(self._before.read_text(encoding="ascii")))
            self._before.unlink()
        if self.folders and self.container.pid:
            self._writes().lift()

    def usage(self) -> dict[str, float]:
        """Return what the engine says of its memory, and the kernel of its open files, if it is near.

        Memory that can be given back at once counts only while there is a limit of ours.
        """
        found = self.container.usage()
        limited, cached_mib = self._before.exists(), found.pop("cached_mib", 0.0)
        if not limited:
            found.pop("memory_limit_mib", None)
            if "memory_mib" in found:  # what does not run uses nothing that could be told
                found["memory_mib"] = max(found["memory_mib"] - cached_mib, 0.0)
        with suppress(StackError):
            pid = self._near()
            found |= {name: value for name, value in used(pid).items() if name == "open_files"}
            found |= open_files.lowest(pid)
        return found

    @property
    def _before(self) -> Path:
        """Where it is written what the memory limit was: bytes."""
        return self.work / f"memory-{self.container.name}.json"

    def _limit_memory(self, mib: float) -> None:
        """Let it hold so much. If it holds more, the kernel kills its largest process.

        Control groups 1 refuse a limit below what is held: it is put there, and a process inside asks for more.
        """
        if not self._before.exists():
            self._before.write_text(json.dumps(self._memory_limit()), encoding="ascii")
        size, deadline = int(max(mib, LEAST_MIB) * _MIB), time.monotonic() + _WITHIN_S
        while not self._allow_memory(size):
            held_mib = self.container.usage().get("memory_mib", 0.0)
            if time.monotonic() > deadline:
                raise StackError(f"{self.container.name} still holds {held_mib:.0f} MiB, more than {mib:g}.")
            if self._allow_memory(int(held_mib * _MIB) + _MIB):
                with suppress(StackError):  # it ends with the container
                    self.container.run(_PUSH, within_s=_WITHIN_S)
            time.sleep(_AGAIN_S)

    def _memory_limit(self) -> int:
        """How many bytes it may hold at most; 0 for no limit."""
        with telling(f"inspect {self.container.name}"):
            return int(self.container.api.inspect_container(self.container.id)["HostConfig"].get("Memory") or 0)

    def _allow_memory(self, size: int) -> bool:
        """Let it hold so many bytes, 0 for all that there are; False where it holds more and the kernel refuses."""
        api = self.container.api
        with telling(f"limit the memory of {self.container.name}"):
            most = size or int(api.info()["MemTotal"])
            try:
                api.update_container(self.container.id, mem_limit=most, memswap_limit=most)
            except APIError as error:
                if any(sign in str(error.explanation) for sign in _HELD):
                    return False
                raise
        return True

    def _near(self) -> int:
        """Return the pid of its first process on this machine; StackError if it is on another, or does not run."""
        pid = self.container.pid
        if self.container.id not in _groups(pid):
            raise StackError(
                f"{self.container.name} has no process on this machine, so it can be limited in memory only.",
                hint="Play with `--engine local`.",
            )
        return pid

    def _writes(self) -> WriteGroup:
        rows = [line.split(":", 2) for line in _groups(self._near()).splitlines()]
        for _, controllers, path in rows:
            if "blkio" in controllers.split(","):
                return WriteGroup(place=ROOT / "blkio" / path.lstrip("/"), folders=self.folders)
        unified = next(path for _, controllers, path in rows if not controllers)
        return WriteGroup(place=ROOT / unified.lstrip("/"), folders=self.folders)


def _groups(pid: int) -> str:
    """Return which control groups a process is in, by the kernel; they are named after its container."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii") if pid else ""
    except OSError:
        return ""
