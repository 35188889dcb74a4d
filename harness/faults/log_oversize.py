"""Makes a share of the log lines longer than a shipper takes; the witness reads the lines of its own requests."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.declarations.fault_contract import Params, Witness, present
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import enough_probes
from tocsin.harness.faults.bases.log_file import LogFault


class LogOversizeParams(Params):
    """`share` of the lines that are `kib` KiB long. At most a twentieth: a disk is soon full of them."""

    share: float = Field(gt=0, le=0.05)
    kib: int = Field(default=1100, ge=16, le=4096)
    example = {"share": 0.02}


class LogOversize(LogFault):
    """A share of the log lines is too long."""

    params: LogOversizeParams

    def witness(self, live: LiveStack) -> Witness:
        """A line of that length: present. Only shorter ones: absent."""
        seen = self.appended(live, enough_probes(self.params.share))
        longest = max(map(len, seen.lines), default=0)
        detail = f"the longest of {len(seen.lines)} lines has {longest / 1024:.0f} KiB"
        if longest >= self.params.kib * 1024:
            return present(detail)
        return seen.without_effect(detail)
