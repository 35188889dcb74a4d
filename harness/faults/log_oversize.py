"""A share of the log lines is longer than a shipper takes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import enough_probes
from tocsin.harness.faults.bases.log_file import LogFault, unclear

_FEWEST, _MOST = 20, 200


class LogOversizeParams(Params):
    """`share` of the lines that are `kib` KiB long. At most a twentieth: a disk is soon full of them."""

    share: float = Field(gt=0, le=0.05)
    kib: int = Field(default=1100, ge=16, le=4096)


class LogOversize(LogFault):
    """Blows lines up through the service's hook; the witness reads those of its own requests, and others in between."""

    kind: ClassVar[str] = "log_oversize"
    summary: ClassVar[str] = "A share of the log lines is too long."
    Params: ClassVar[type[Params]] = LogOversizeParams

    def witness(self, live: LiveStack) -> Witness:
        """A line of that length: present. Only shorter ones: absent."""
        seen = self.appended(live, enough_probes(self.params.share, fewest=_FEWEST, most=_MOST))
        longest = max(map(len, seen.lines), default=0)
        detail = f"the longest of {len(seen.lines)} lines has {longest / 1024:.0f} KiB"
        if longest >= self.params.kib * 1024:
            return Witness(state="present", detail=detail)
        return unclear(seen) or Witness(state="absent", detail=detail)
