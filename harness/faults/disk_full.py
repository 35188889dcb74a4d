"""A disk of a role is full. Only a small file system of its own is ever filled, never the machine's."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.role import blinded

_FILL = ".tocsin-fill"
_TRY = ".tocsin-try"
_KIB = 1024
_BLOCK_KIB = 4
_NO_ROOM = "no space left"
_FILL_S = 30.0


class DiskFullParams(Params):
    """`disk` of stack.yaml, filled up to `share` of its size."""

    disk: str
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


class DiskFull:
    """Fills a disk with a file, as its role's user; the witness writes there as that user, and asks how full it is."""

    kind: ClassVar[str] = "disk_full"
    summary: ClassVar[str] = "A disk of a role is full."
    Params: ClassVar[type[Params]] = DiskFullParams

    def __init__(self, params: Any) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the disk as a file system of its own, and commands beside its role."""
        return (f"handle:disk:{self.params.disk}", "handle:run_in")

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it, if nothing more can be written."""
        disk = stack.disks.get(self.params.disk)
        return blinded(disk.role, stack) if disk and self.params.share == 1 else ()

    def inject(self, live: LiveStack) -> None:
        """Write zeros until the disk holds its share; a full one takes what there is."""
        size_kib, used_kib = self._room(live)
        wanted = int(size_kib * self.params.share) - used_kib
        blocks = max(-(-wanted // _BLOCK_KIB), 0) + (1 if self.params.share == 1 else 0)
        file = f"{live.disk(self.params.disk)}/{_FILL}"
        argv = [
            "dd",
            "if=/dev/zero",
            f"of={file}",
            f"bs={_BLOCK_KIB}k",
            f"count={blocks}",
            "oflag=append",
            "conv=notrunc",
        ]
        self._run(live, *argv)

    def heal(self, live: LiveStack) -> None:
        """Remove the file."""
        folder = live.disk(self.params.disk)
        self._run(live, "rm", "-f", f"{folder}/{_FILL}", f"{folder}/{_TRY}")

    def witness(self, live: LiveStack) -> Witness:
        """Asked to be full, a block cannot be written for want of room: present. Else: as full as asked."""
        size_kib, used_kib = self._room(live)
        file = f"{live.disk(self.params.disk)}/{_TRY}"
        status, said = self._run(live, "dd", "if=/dev/zero", f"of={file}", f"bs={_BLOCK_KIB}k", "count=1")
        self._run(live, "rm", "-f", file)
        detail = f"{used_kib} of {size_kib} KiB of {self.params.disk} are used; a block {_how(status, said)}"
        full = bool(status) and _NO_ROOM in said.lower()
        if self.params.share == 1:
            return Witness(state="present" if full else "cannot_tell" if status else "absent", detail=detail)
        return Witness(state="present" if used_kib >= size_kib * self.params.share * 0.99 else "absent", detail=detail)

    def _room(self, live: LiveStack) -> tuple[int, int]:
        """Return (size, used) in KiB, by `df`."""
        status, said = self._run(live, "df", "-Pk", live.disk(self.params.disk))
        row = said.strip().splitlines()[-1].split() if status == 0 and said.strip() else []
        if len(row) < 6:
            raise StackError(f"df of disk {self.params.disk!r} says {said.strip()!r}.")
        size_kib, most_kib = int(row[-5]), live.stack.disks[self.params.disk].mib * _KIB
        if size_kib > most_kib:
            raise StackError(
                f"Disk {self.params.disk!r} has {size_kib} KiB, more than the {most_kib} of its own: it is not filled.",
                hint="Play with `--engine local`.",
            )
        return size_kib, int(row[-4])

    def _run(self, live: LiveStack, *argv: str) -> tuple[int, str]:
        return live.run_in(live.stack.disks[self.params.disk].role, argv, within_s=_FILL_S)


def _how(status: int, said: str) -> str:
    return f"is refused: {said.strip().splitlines()[0]}" if status and said.strip() else "is written"
