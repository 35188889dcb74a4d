"""The service's memory grows, up to a bound, and is given back at the end."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, turn_off

_SHOWS, _GONE = 0.3, 0.15


class MemoryLeakParams(Params):
    """Memory grows by `mib_per_s`, in wall seconds that no speed divides, up to `most_mib`."""

    mib_per_s: float = Field(gt=0, le=256)
    most_mib: float = Field(default=256, ge=64, le=1024)


class MemoryLeak(HookFault):
    """Leaks through the service's hook; the witness compares what the kernel counts for the role with before."""

    kind: ClassVar[str] = "memory_leak"
    summary: ClassVar[str] = "The memory of the service grows."
    Params: ClassVar[type[Params]] = MemoryLeakParams

    def inject(self, live: LiveStack) -> None:
        """Write down how much it uses, then let it grow."""
        turn_off(live, self.kind)
        self._record(live).write_text(repr(self._used_mib(live)), encoding="ascii")
        super().inject(live)

    def witness(self, live: LiveStack) -> Witness:
        """Three tenths of the bound more than before show the fault; less than half of that denies it.

        What it used before is written down before anything is done, so without that nothing was.
        """
        try:
            before = float(self._record(live).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return Witness(state="absent", detail="never injected: nobody wrote down how much memory it used before")
        more = self._used_mib(live) - before
        shown, gone = more >= _SHOWS * self.params.most_mib, more <= _GONE * self.params.most_mib
        state = "present" if shown else "absent" if gone else "cannot_tell"
        return Witness(state=state, detail=f"{more:+.0f} MiB since the injection")  # type: ignore[arg-type]

    def _used_mib(self, live: LiveStack) -> float:
        return float(live.usage(self.role(live.stack)).get("memory_mib", float("nan")))

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"memory_leak-{self.role(live.stack)}"
