"""The log file is copied and cut to nothing, as logrotate's copytruncate does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.log_file import LogFileFault, log_files

_HEAD_BYTES = 256


class LogTruncate(LogFileFault):
    """Truncates the file through the service's hook; the witness compares how the files begin with before."""

    kind: ClassVar[str] = "log_truncate"
    summary: ClassVar[str] = "The log file is copied and cut to nothing."
    Params: ClassVar[type[Params]] = NoParams

    def picture(self, live: LiveStack) -> dict[str, str]:
        """Return inode -> how the file begins, in hexadecimal digits."""
        return {str(found.st_ino): _head(path) for path, found in log_files(live)}

    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return the files that begin otherwise; one that grew begins as before."""
        cut = [inode for inode, head in before.items() if head and not now.get(inode, head).startswith(head)]
        return [f"the file with inode {inode} begins anew" for inode in cut]


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).hex()
