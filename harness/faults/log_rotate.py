"""The log file is renamed and a new one begun, as logrotate does every night."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from harness.faults.base import Params, Witness
from harness.faults.hooks import NoParams
from harness.faults.log_lines import LogFault, log_files
from harness.stack import LiveStack

_PROBES = 3


class LogRotate(LogFault):
    """Renames the file through the service's hook; the witness compares the files with those before."""

    kind: ClassVar[str] = "log_rotate"
    summary: ClassVar[str] = "The log file is renamed and a new one begun."
    Params: ClassVar[type[Params]] = NoParams

    def inject(self, live: LiveStack) -> None:
        """Write down which files there are, then rename."""
        if not self._record(live).exists():
            before = {path.name: found.st_ino for path, found in log_files(live)}
            self._record(live).write_text(json.dumps(before), encoding="utf-8")
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Forget the files before; a rotation needs no mending."""
        self._record(live).unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """A file under another name than before: present; the same names: absent. After the heal: lines are written."""
        if not self._record(live).exists():
            seen = self.appended(live, _PROBES)
            detail = f"{len(seen.lines)} lines were written for {seen.sent} requests"
            return Witness(state="absent" if seen.lines else "cannot_tell", detail=detail)
        before = json.loads(self._record(live).read_text(encoding="utf-8"))
        now = {found.st_ino: path.name for path, found in log_files(live)}
        moved = [f"{name} is {now[inode]}" for name, inode in before.items() if now.get(inode, name) != name]
        if moved:
            return Witness(state="present", detail=", ".join(moved))
        return Witness(state="absent" if before else "cannot_tell", detail=f"{len(before)} files have the same names")

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"log_rotate-{self.role(live.stack)}"
