"""Renames the log file, as logrotate does every night; the witness compares the files' names with those before."""

from __future__ import annotations

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.log_file import LogFileFault, log_files


class LogRotate(LogFileFault):
    """The log file is renamed and a new one begun."""

    def fingerprints(self, live: LiveStack) -> dict[str, str]:
        """Return inode -> name."""
        return {str(stat.st_ino): path.name for path, stat in log_files(live)}

    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return the files that have another name."""
        return [f"{name} is {now[inode]}" for inode, name in before.items() if now.get(inode, name) != name]
