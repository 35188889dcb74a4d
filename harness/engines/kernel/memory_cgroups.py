"""Memory control groups of the kernel, one for each role whose memory a fault of the plan limits; versions 1 and 2.

A group is made below our own, so that whatever limits us limits the role too, before the role starts: memory counts
for the group in which it was first touched. Files and meanings: Documentation/admin-guide/cgroup-v1/memory.rst and
cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.engines.kernel import cgroups
from tocsin.harness.engines.kernel.cgroups import Group
from tocsin.harness.faults import needs

_MIB = 1024 * 1024
_NO_LIMIT = 1 << 60
_WITHIN_S = 3.0
_AGAIN_S = 0.05
_PUSH_MIB = 16
_PUSH = (
    "import sys\n"
    "open(sys.argv[1], 'w').write('0')\n"  # 0: the process that writes
    "held = b'x' * int(sys.argv[2])\n"
)


def wanted(timeline: Timeline) -> tuple[str, ...]:
    """Return the roles whose memory faults of the plan limit, each once."""
    roles = []
    for fault in timeline.faults:
        asked = needs(fault.kind, fault.params)
        if "handle:limit:memory" in asked:
            roles += [need.removeprefix("role:") for need in asked if need.startswith("role:")]
    return tuple(dict.fromkeys(roles))


def shelf() -> cgroups.Shelf | None:
    """Return where memory groups can be made here, None where they cannot."""
    return cgroups.find("memory", "memory")


@dataclass(frozen=True, kw_only=True)
class MemoryGroup(Group):
    """One memory group."""

    def limit(self, mib: float) -> None:
        """Let it hold so much memory. If it holds more, the kernel kills its largest process, as version 2 does.

        Version 1 refuses a limit below what is held: the limit is put there, and a process of ours asks for more.
        """
        if self._unified:
            self.write("memory.swap.max", "0")
            self.write("memory.max", str(int(mib * _MIB)))
            return
        deadline = time.monotonic() + _WITHIN_S
        while not self._limit_v1(int(mib * _MIB)):
            if time.monotonic() > deadline:
                raise StackError(f"{self.place} still holds {self.usage()['memory_mib']:.0f} MiB, more than {mib:g}.")
            if self._limit_v1(self._number("memory.usage_in_bytes") + _MIB):
                self._push()
            time.sleep(_AGAIN_S)

    def lift(self) -> None:
        """Let it hold as much as there is."""
        for name in ("memory.max", "memory.swap.max") if self._unified else ():
            self.write(name, "max")
        for name in ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes") if not self._unified else ():
            if (self.place / name).exists():
                self.write(name, "-1")

    def usage(self) -> dict[str, float]:
        """Return `memory_mib`, `oom_kills` and, while there is a limit, `memory_limit_mib`, as the kernel has them."""
        if self._unified:
            held, kills = self._number("memory.current"), self._table("memory.events")["oom_kill"]
            written = (self.place / "memory.max").read_text(encoding="ascii").strip()
            most = _NO_LIMIT if written == "max" else int(written)
        else:
            held, kills = self._number("memory.usage_in_bytes"), self._table("memory.oom_control").get("oom_kill", 0)
            most = self._number("memory.limit_in_bytes")
        seen = {"memory_mib": held / _MIB, "oom_kills": float(kills)}
        return {**seen, "memory_limit_mib": most / _MIB} if most < _NO_LIMIT else seen

    @property
    def _unified(self) -> bool:
        return not (self.place / "memory.limit_in_bytes").exists()

    def _limit_v1(self, size: int) -> bool:
        """Return whether the limit stands; not when more is held and cannot be given back."""
        swap = "memory.memsw.limit_in_bytes"
        try:
            if (self.place / swap).exists():
                self.write(swap, "-1")
            (self.place / "memory.limit_in_bytes").write_text(str(size), encoding="ascii")
            if (self.place / swap).exists():
                (self.place / swap).write_text(str(size), encoding="ascii")
        except OSError:
            return False
        return True

    def _push(self) -> None:
        argv = [sys.executable, "-S", "-c", _PUSH, str(self.place / "cgroup.procs"), str(_PUSH_MIB * _MIB)]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(argv, capture_output=True, timeout=_WITHIN_S, check=False)

    def _number(self, name: str) -> int:
        try:
            return int((self.place / name).read_text(encoding="ascii"))
        except OSError as error:
            raise StackError(f"Cannot read {self.place / name}: {error.strerror}.") from None

    def _table(self, name: str) -> dict[str, int]:
        rows = (line.split() for line in (self.place / name).read_text(encoding="ascii").splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}
