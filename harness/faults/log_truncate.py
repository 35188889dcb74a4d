"""Copies the log file and cuts it to nothing, as logrotate's copytruncate does; the witness reads how files begin."""

from __future__ import annotations

from pathlib import Path

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.log_file import LogFileFault, log_files

_HEAD_BYTES = 256


class LogTruncate(LogFileFault):
    """The log file is copied and cut to nothing."""

    def fingerprints(self, live: LiveStack) -> dict[str, str]:
        """Return inode -> how the file begins, in hexadecimal digits."""
        return {str(stat.st_ino): _head(path) for path, stat in log_files(live)}

    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return the files that begin otherwise; one that grew begins as before."""
        cut = [inode for inode, head in before.items() if head and not now.get(inode, head).startswith(head)]
        return [f"the file with inode {inode} begins anew" for inode in cut]


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).hex()
