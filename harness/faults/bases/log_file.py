"""Faults of the request log: requests are sent, and what was appended to its files meanwhile is read."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.fault_contract import Witness, absent, absent_if, cannot_tell, present
from tocsin.harness.declarations.stack_interface import LiveStack, StackFacts
from tocsin.harness.declarations.stack_signals import LogsSignal
from tocsin.harness.faults.bases.hook import HookFault

_MOST_BYTES = 64 << 20
_PROBES = 3


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What came of some requests: how many of `sent` were answered 200, and the whole lines written meanwhile."""

    sent: int
    answered: int
    lines: list[bytes]

    @property
    def doubt(self) -> str:
        """Why the lines prove nothing: a request was not answered or nothing was written. Empty if they do."""
        if self.answered < self.sent or not self.sent:
            return f"{self.answered} of {self.sent} requests were answered 200"
        return "" if self.lines else f"{self.sent} requests left no line"

    def without_effect(self, detail: str) -> Witness:
        """Return absent, with this detail, if the lines prove it; else that nobody can tell, and why."""
        return cannot_tell(self.doubt) if self.doubt else absent(detail)


class LogFault(HookFault):
    """A fault of the request log. Lines are read where the service writes them, not where they are shipped to."""

    def appended(self, live: LiveStack, requests: int) -> Appended:
        """Send requests and return what was written meanwhile."""
        before = {(stat.st_dev, stat.st_ino): stat.st_size for _, stat in log_files(live)}
        statuses = live.prober.probe(requests)
        lines: list[bytes] = []
        for path, stat in log_files(live):
            with path.open("rb") as file:
                file.seek(min(before.get((stat.st_dev, stat.st_ino), 0), stat.st_size))
                written = file.read(_MOST_BYTES).splitlines(keepends=True)
            lines += [line for line in written if line.endswith(b"\n")]
        return Appended(sent=len(statuses), answered=statuses.count(200), lines=lines)


class LogFileFault(LogFault):
    """Something done once to the log's files: the witness compares them with how they were before."""

    @abstractmethod
    def fingerprints(self, live: LiveStack) -> dict[str, str]:
        """Return inode -> what the fault changes of that file."""

    @abstractmethod
    def changed(self, before: dict[str, str], now: dict[str, str]) -> list[str]:
        """Return a phrase for each file on which the fault shows."""

    def inject(self, live: LiveStack) -> None:
        """Write down how the files are, then do it."""
        record = self.record(live)
        if not record.exists():
            record.write_text(json.dumps(self.fingerprints(live)), encoding="utf-8")
        super().inject(live)

    def heal(self, live: LiveStack) -> None:
        """Forget how the files were; there is nothing to mend."""
        self.record(live).unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """A file differs from before: present; none does: absent. After the heal: lines are written."""
        record = self.record(live)
        if not record.exists():
            seen = self.appended(live, _PROBES)
            detail = f"{len(seen.lines)} lines were written for {seen.sent} requests"
            return absent_if(bool(seen.lines), detail)
        before: dict[str, str] = json.loads(record.read_text(encoding="utf-8"))
        changed = self.changed(before, self.fingerprints(live))
        if changed:
            return present(", ".join(changed))
        detail = f"{len(before)} files are as before"
        return absent_if(any(before.values()), detail)


def logs_signal(live: StackFacts) -> LogsSignal:
    """Return the stack's log signal; StackError if it declares none."""
    if live.stack.signals.logs is None:
        raise StackError("The stack names no log files.", hint="Add `signals: logs:` to stack.yaml.")
    return live.stack.signals.logs


def log_files(live: StackFacts) -> list[tuple[Path, os.stat_result]]:
    """Return the files of the request log with what the file system says of each."""
    pattern = Path(logs_signal(live).files.replace("{work}", str(live.work)))
    return [(path, path.stat()) for path in sorted(pattern.parent.glob(pattern.name))]
