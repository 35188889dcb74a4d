"""Memory control groups, one for each role whose memory a fault of the plan limits; versions 1 and 2.

A role is put into its group when it starts, because the kernel counts memory for the group that touched it first.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.kernel.cgroups import Cgroup, find_parent

_MIB = 1024 * 1024
_NO_LIMIT = 1 << 60
_WITHIN_S = 3.0
_AGAIN_S = 0.05
_ALLOCATED_MIB = 16
_ALLOCATE = (
    "import sys\n"
    "open(sys.argv[1], 'w').write('0')\n"  # 0: the process that writes
    "memory = b'x' * int(sys.argv[2])\n"
)
_LIMIT_V1, _SWAP_V1 = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


def parent() -> Path | None:
    """Return where memory groups can be made on this machine, None where they cannot."""
    return find_parent("memory", "memory")


def limit_below_usage(
    name: str,
    mib: float,
    *,
    set_bytes: Callable[[int], bool],
    used_mib: Callable[[], float],
    allocate: Callable[[], None],
    within_s: float,
) -> None:
    """Set a memory limit, also below the usage, which version 1 refuses: `set_bytes` returns False then.

    The limit is set just above the usage instead, and `allocate` takes memory until the kernel kills a process.
    StackError if the usage is still too high after `within_s`.
    """
    deadline = time.monotonic() + within_s
    while not set_bytes(int(mib * _MIB)):
        now_mib = used_mib()
        if time.monotonic() > deadline:
            raise StackError(f"{name} still holds {now_mib:.0f} MiB, more than {mib:g}.")
        if set_bytes(int(now_mib * _MIB) + _MIB):
            allocate()
        time.sleep(_AGAIN_S)


@dataclass(frozen=True, kw_only=True)
class MemoryCgroup(Cgroup):
    """The memory group of a role."""

    def limit(self, mib: float) -> None:
        """Limit the memory. If the group uses more, the kernel kills its largest process."""
        if not self._is_v1:
            self.write("memory.swap.max", "0")
            self.write("memory.max", str(int(mib * _MIB)))
            return
        limit_below_usage(
            str(self.path),
            mib,
            set_bytes=self._limit_v1,
            used_mib=lambda: self.usage()["memory_mib"],
            allocate=self._allocate,
            within_s=_WITHIN_S,
        )

    def lift(self) -> None:
        """Lift the limit."""
        if not self._is_v1:
            self.write("memory.max", "max")
            self.write("memory.swap.max", "max")
            return
        if (self.path / _SWAP_V1).exists():
            self.write(_SWAP_V1, "-1")
        self.write(_LIMIT_V1, "-1")

    def usage(self) -> dict[str, float]:
        """Return `memory_mib`, `oom_kills` and, while there is a limit, `memory_limit_mib`, as the kernel counts."""
        if self._is_v1:
            used, limit = self._number("memory.usage_in_bytes"), self._number(_LIMIT_V1)
            kills = self._table("memory.oom_control").get("oom_kill", 0)
        else:
            used, limit = self._number("memory.current"), self._number("memory.max")
            kills = self._table("memory.events")["oom_kill"]
        usage = {"memory_mib": used / _MIB, "oom_kills": float(kills)}
        if limit < _NO_LIMIT:
            usage["memory_limit_mib"] = limit / _MIB
        return usage

    @property
    def _is_v1(self) -> bool:
        return (self.path / _LIMIT_V1).exists()

    def _limit_v1(self, size: int) -> bool:
        """Set the limit in bytes; return False where more is in use and cannot be given back."""
        swap = self.path / _SWAP_V1
        try:
            if swap.exists():  # it may never be below the limit
                self.write(_SWAP_V1, "-1")
            (self.path / _LIMIT_V1).write_text(str(size), encoding="ascii")
            if swap.exists():
                swap.write_text(str(size), encoding="ascii")
        except OSError:
            return False
        return True

    def _allocate(self) -> None:
        argv = [sys.executable, "-S", "-c", _ALLOCATE, str(self.path / "cgroup.procs"), str(_ALLOCATED_MIB * _MIB)]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(argv, capture_output=True, timeout=_WITHIN_S, check=False)

    def _number(self, name: str) -> int:
        try:
            text = (self.path / name).read_text(encoding="ascii").strip()
        except OSError as error:
            raise StackError(f"Cannot read {self.path / name}: {error.strerror}.") from None
        return _NO_LIMIT if text == "max" else int(text)

    def _table(self, name: str) -> dict[str, int]:
        rows = (line.split() for line in (self.path / name).read_text(encoding="ascii").splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}
