"""A disk of a role is slow: each write waits. Only a small file system of its own is ever slowed."""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar

from pydantic import Field

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import blinded

_TRY = ".tocsin-slow"
_LONGEST_S = 10.0
_TOOK = re.compile(r"copied, ([0-9.e+-]+) s")
"""What `dd` says of its own time."""


class DiskSlowParams(Params):
    """`disk` of stack.yaml, and how many writes per wall second its device takes of the role."""

    disk: str
    writes_per_s: float = Field(default=10.0, ge=1, le=50)


class DiskSlow:
    """Limits the writes of a role to its disk; the witness writes a block there, and takes the time."""

    kind: ClassVar[str] = "disk_slow"
    summary: ClassVar[str] = "A disk of a role is slow."
    Params: ClassVar[type[Params]] = DiskSlowParams

    def __init__(self, params: Any) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the disk as a file system of its own that can be slowed, and what is done with its role."""
        return (f"handle:disk:{self.params.disk}", f"handle:slow:{self.params.disk}", "handle:run_in", "handle:start")

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it: it may wait for the disk."""
        disk = stack.disks.get(self.params.disk)
        return blinded(disk.role, stack) if disk else ()

    def inject(self, live: LiveStack) -> None:
        """Limit the writes."""
        live.limit(self._role(live), writes_per_s=self.params.writes_per_s)

    def heal(self, live: LiveStack) -> None:
        """Lift the limit, and start the role if it did not survive."""
        role = self._role(live)
        live.limit(role)
        if not live.alive(role):
            live.restart(role)

    def witness(self, live: LiveStack) -> Witness:
        """A block takes nearly as long as one write may, or longer: present. Not half as long: absent."""
        file, least_s = f"{live.disk(self.params.disk)}/{_TRY}", 1 / self.params.writes_per_s
        argv = ["dd", "if=/dev/zero", f"of={file}", "bs=512", "count=1", "conv=notrunc", "oflag=dsync"]
        began = time.monotonic()
        try:
            status, said = live.run_in(self._role(live), argv, within_s=_LONGEST_S)
        except StackError:
            return Witness(
                state="present", detail=f"a block for {self.params.disk} waits for more than {_LONGEST_S:g} s"
            )
        took_s = time.monotonic() - began
        if own := _TOOK.search(said):  # what starting the command takes is not the disk's
            took_s = min(took_s, float(own.group(1)))
        if status:
            return Witness(state="cannot_tell", detail=f"a block for {self.params.disk} is refused: {said.strip()}")
        detail = f"a block for {self.params.disk} takes {took_s * 1000:.0f} ms"
        state = "present" if took_s >= 0.8 * least_s else "absent" if took_s < 0.5 * least_s else "cannot_tell"
        return Witness(state=state, detail=detail)  # type: ignore[arg-type]

    def _role(self, live: LiveStack) -> str:
        return live.stack.disks[self.params.disk].role
