"""Makes the service's memory grow up to a bound; the witness compares what the kernel counts with before."""

from __future__ import annotations

import math

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, absent, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault

_SHOWS, _GONE = 0.3, 0.15


class MemoryLeakParams(Params):
    """Memory grows by `mib_per_s`, in wall seconds that no speed divides, up to `most_mib`."""

    mib_per_s: float = Field(gt=0, le=256)
    most_mib: float = Field(default=256, ge=64, le=1024)
    example = {"mib_per_s": 100, "most_mib": 64}


class MemoryLeak(HookFault):
    """The memory of the service grows."""

    params: MemoryLeakParams

    def inject(self, live: LiveStack) -> None:
        """Write down how much it uses, then let it grow."""
        self.heal(live)
        self.record(live).write_text(repr(self._used_mib(live)), encoding="ascii")
        super().inject(live)

    def witness(self, live: LiveStack) -> Witness:
        """Three tenths of the bound more than before show the fault; less than half of that denies it.

        What it used before is written down before anything is done, so without that nothing was.
        """
        try:
            before_mib = float(self.record(live).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return absent("never injected: nobody wrote down how much memory it used before")
        more_mib = self._used_mib(live) - before_mib
        detail = f"{more_mib:+.0f} MiB since the injection"
        most_mib = self.params.most_mib
        return witness_of(detail, shown=more_mib >= _SHOWS * most_mib, well=more_mib <= _GONE * most_mib)

    def _used_mib(self, live: LiveStack) -> float:
        """Return how much memory the role uses, NaN where it is not known."""
        return live.usage(self.role(live.stack)).get("memory_mib", math.nan)
