"""The log file is renamed and a new one begun, as logrotate does every night."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.faults.bases.fault import Params
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.log_file import LogFileFault, log_files


class LogRotate(LogFileFault):
    """Renames the file through the service's hook; the witness compares the files' names with those before."""

    kind: ClassVar[str] = "log_rotate"
    summary: ClassVar[str] = "The log file is renamed and a new one begun."
    Params: ClassVar[type[Params]] = NoParams

    def picture(self, live: LiveStack) -> dict[str, str]:
        """Return inode -> name."""
        return {str(found.st_ino): path.name for path, found in log_files(live)}

    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return the files that have another name."""
        return [f"{name} is {now[inode]}" for inode, name in before.items() if now.get(inode, name) != name]
