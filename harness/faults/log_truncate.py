"""The log file is copied and cut to nothing, as logrotate's copytruncate does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from harness.faults.base import Params, Witness
from harness.faults.hooks import NoParams
from harness.faults.log_lines import LogFault, log_files
from harness.stack import LiveStack

_PROBES = 3
_HEAD_BYTES = 256


class LogTruncate(LogFault):
    """Truncates the file through the service's hook; the witness compares how the files begin with before."""

    kind: ClassVar[str] = "log_truncate"
    summary: ClassVar[str] = "The log file is copied and cut to nothing."
    Params: ClassVar[type[Params]] = NoParams

    def inject(self, live: LiveStack) -> None:
        """Write down how each file begins, then truncate."""
        if not self._record(live).exists():
            before = {str(found.st_ino): _head(path) for path, found in log_files(live)}
            self._record(live).write_text(json.dumps(before), encoding="utf-8")
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Forget the files before; a truncation needs no mending."""
        self._record(live).unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """A file begins otherwise than before: present; none does: absent. After the heal: lines are written."""
        if not self._record(live).exists():
            seen = self.appended(live, _PROBES)
            detail = f"{len(seen.lines)} lines were written for {seen.sent} requests"
            return Witness(state="absent" if seen.lines else "cannot_tell", detail=detail)
        before = json.loads(self._record(live).read_text(encoding="utf-8"))
        heads = {str(found.st_ino): (path.name, _head(path)) for path, found in log_files(live)}
        cut = [
            heads[inode][0] for inode, head in before.items() if head and _cut(head, heads.get(inode, ("", head))[1])
        ]
        if cut:
            return Witness(state="present", detail=f"{', '.join(cut)} begins anew")
        state = "absent" if any(before.values()) else "cannot_tell"
        return Witness(state=state, detail=f"{len(before)} files begin as before")  # type: ignore[arg-type]

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"log_truncate-{self.role(live.stack)}"


def _cut(before: str, now: str) -> bool:
    return not now.startswith(before)


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).hex()
