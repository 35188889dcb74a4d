"""What faults of the request log share: requests are sent, and what was appended to its files meanwhile is read."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.signal_names import LogsSignal
from tocsin.harness.faults.bases.fault import State, Witness
from tocsin.harness.faults.bases.hook import HookFault

_MOST_BYTES = 64 << 20
_PROBES = 3


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What came of some requests: how many of `sent` were answered 200, and the whole lines written meanwhile."""

    sent: int
    answered: int
    lines: list[bytes]


class LogFault(HookFault):
    """A fault of the request log. Lines are read where the service writes them, not where they are shipped to."""

    def appended(self, live: LiveStack, requests: int) -> Appended:
        """Send requests and return what was written meanwhile."""
        before = {(found.st_dev, found.st_ino): found.st_size for _, found in log_files(live)}
        statuses = live.prober.probe(requests)
        lines: list[bytes] = []
        for path, found in log_files(live):
            with path.open("rb") as file:
                file.seek(min(before.get((found.st_dev, found.st_ino), 0), found.st_size))
                lines += [line for line in file.read(_MOST_BYTES).splitlines(keepends=True) if line.endswith(b"\n")]
        return Appended(sent=len(statuses), answered=statuses.count(200), lines=lines)


class LogFileFault(LogFault):
    """Something done once to the log's files: the witness compares them with how they were before."""

    @abstractmethod
    def picture(self, live: LiveStack) -> dict[str, str]:
        """Return what tells each file: a key that stays -> what the fault changes."""

    @abstractmethod
    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return a word for each file on which the fault shows."""

    def inject(self, live: LiveStack) -> None:
        """Write down how the files are, then do it."""
        if not self._record(live).exists():
            self._record(live).write_text(json.dumps(self.picture(live)), encoding="utf-8")
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Forget how the files were; there is nothing to mend."""
        self._record(live).unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """A file differs from before: present; none does: absent. After the heal: lines are written."""
        if not self._record(live).exists():
            seen = self.appended(live, _PROBES)
            detail = f"{len(seen.lines)} lines were written for {seen.sent} requests"
            return Witness(state="absent" if seen.lines else "cannot_tell", detail=detail)
        before: dict[str, Any] = json.loads(self._record(live).read_text(encoding="utf-8"))
        if found := self.changed(before, self.picture(live)):
            return Witness(state="present", detail=", ".join(found))
        state: State = "absent" if any(before.values()) else "cannot_tell"
        return Witness(state=state, detail=f"{len(before)} files are as before")

    def _record(self, live: LiveStack) -> Path:
        return live.work / f"{self.kind}-{self.role(live.stack)}"


def unclear(seen: Appended) -> Witness | None:
    """Return that nobody can tell when a request was not answered or nothing was written; else None."""
    if seen.answered < seen.sent or not seen.sent:
        return Witness(state="cannot_tell", detail=f"{seen.answered} of {seen.sent} requests were answered 200")
    if not seen.lines:
        return Witness(state="cannot_tell", detail=f"{seen.sent} requests left no line")
    return None


def logs_signal(live: LiveStack) -> LogsSignal:
    """Return the stack's log signal; StackError if it declares none."""
    if live.stack.signals.logs is None:
        raise StackError("The stack names no log files.", hint="Add `signals: logs:` to stack.yaml.")
    return live.stack.signals.logs


def log_files(live: LiveStack) -> list[tuple[Path, os.stat_result]]:
    """Return the files of the request log with what the file system says of each."""
    pattern = Path(logs_signal(live).files.replace("{work}", str(live.work)))
    return [(path, path.stat()) for path in sorted(pattern.parent.glob(pattern.name))]
