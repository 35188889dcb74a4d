"""Fills a disk with a file, as its role's user. Only a file system of the drill is filled, never the machine's."""

from __future__ import annotations

import math

from pydantic import Field

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, present_if, witness_of
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.disk import DiskFault, DiskParams

_FILL = ".tocsin-fill"
_TRY = ".tocsin-try"
_KIB = 1024
_BLOCK_KIB = 4
_NO_ROOM = "no space left"


class DiskFullParams(DiskParams):
    """`disk` of stack.yaml, filled up to `share` of its size."""

    share: float = Field(default=1.0, gt=0, le=1)
    example = {"disk": "request-log"}


class DiskFull(DiskFault):
    """A disk of a role is full."""

    params: DiskFullParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it, if nothing more can be written."""
        return super().blinds(stack) if self.params.share == 1 else ()

    def inject(self, live: LiveStack) -> None:
        """Write zeros until the share is used; for a full disk, one block more than fits."""
        size_kib, used_kib = self._room(live)
        blocks = max(math.ceil((int(size_kib * self.params.share) - used_kib) / _BLOCK_KIB), 0)
        if self.params.share == 1:
            blocks += 1
        self._write(live, _FILL, blocks, "oflag=append", "conv=notrunc")

    def heal(self, live: LiveStack) -> None:
        """Remove the file."""
        folder = live.disk(self.params.disk)
        self.run(live, "rm", "-f", f"{folder}/{_FILL}", f"{folder}/{_TRY}")

    def witness(self, live: LiveStack) -> Witness:
        """A block cannot be written for want of room: present. With a `share` below 1: whether so much is used."""
        size_kib, used_kib = self._room(live)
        status, output = self._write(live, _TRY, 1)
        self.run(live, "rm", "-f", f"{live.disk(self.params.disk)}/{_TRY}")
        outcome = "is written"
        if status and output.strip():
            outcome = f"is refused: {output.strip().splitlines()[0]}"
        detail = f"{used_kib} of {size_kib} KiB of {self.params.disk} are used; a block {outcome}"
        if self.params.share < 1:
            return present_if(used_kib >= size_kib * self.params.share * 0.99, detail)
        return witness_of(detail, shown=status != 0 and _NO_ROOM in output.lower(), well=status == 0)

    def _write(self, live: LiveStack, name: str, blocks: int, *flags: str) -> tuple[int, str]:
        """Write zeros to a file of the disk; return exit status and output."""
        file = f"of={live.disk(self.params.disk)}/{name}"
        return self.run(live, "dd", "if=/dev/zero", file, f"bs={_BLOCK_KIB}k", f"count={blocks}", *flags)

    def _room(self, live: LiveStack) -> tuple[int, int]:
        """Return (size, used) in KiB, by `df`."""
        status, output = self.run(live, "df", "-Pk", live.disk(self.params.disk))
        row = output.strip().rpartition("\n")[2].split()
        if status or len(row) < 6:
            raise StackError(f"df of disk {self.params.disk!r} says {output.strip()!r}.")
        size_kib, most_kib = int(row[-5]), live.stack.disks[self.params.disk].mib * _KIB
        if size_kib > most_kib:
            raise StackError(
                f"Disk {self.params.disk!r} has {size_kib} KiB, more than the {most_kib} of its own: it is not filled.",
                hint="Play with `--engine local`.",
            )
        return size_kib, int(row[-4])
