"""Limits a role's writes to its disk; the witness times one. Only a small file system of the drill is slowed."""

from __future__ import annotations

import re
import time

from pydantic import Field

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, cannot_tell, present, witness_of
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.disk import DiskFault, DiskParams
from tocsin.harness.faults.bases.role import start_again

_TRY = ".tocsin-slow"
_LONGEST_S = 10.0
_TOOK = re.compile(r"copied, ([0-9.e+-]+) s")
"""What `dd` says of its own time."""


class DiskSlowParams(DiskParams):
    """`disk` of stack.yaml, and how many writes per wall second its device takes of the role."""

    writes_per_s: float = Field(default=10.0, ge=1, le=50)
    example = {"disk": "shipper-spool", "writes_per_s": 10}


class DiskSlow(DiskFault):
    """A disk of a role is slow."""

    params: DiskSlowParams
    capabilities = ("run_in", "start")

    def needs(self) -> tuple[str, ...]:
        """Return the disk as a file system of its own that can be slowed, and what is done with its role."""
        disk, *others = super().needs()
        return (disk, f"capability:slow:{self.params.disk}", *others)

    def inject(self, live: LiveStack) -> None:
        """Limit the writes."""
        live.limit(self.role(live), writes_per_s=self.params.writes_per_s)

    def heal(self, live: LiveStack) -> None:
        """Lift the limit, and start the role if it did not survive."""
        live.limit(self.role(live))
        start_again(live, self.role(live))

    def witness(self, live: LiveStack) -> Witness:
        """A block takes nearly as long as one write may, or longer: present. Not half as long: absent."""
        block = f"a block for {self.params.disk}"
        file = f"of={live.disk(self.params.disk)}/{_TRY}"
        argv = ["dd", "if=/dev/zero", file, "bs=512", "count=1", "conv=notrunc", "oflag=dsync"]
        began = time.monotonic()
        try:
            status, output = self.run(live, *argv, within_s=_LONGEST_S)
        except StackError:
            return present(f"{block} waits for more than {_LONGEST_S:g} s")
        took_s = time.monotonic() - began
        if status:
            return cannot_tell(f"{block} is refused: {output.strip()}")
        reported = _TOOK.search(output)
        if reported:  # the time that starting the command takes is not the disk's
            took_s = min(took_s, float(reported[1]))
        detail = f"{block} takes {took_s * 1000:.0f} ms"
        write_s = 1 / self.params.writes_per_s
        return witness_of(detail, shown=took_s >= 0.8 * write_s, well=took_s < 0.5 * write_s)
