"""What faults of the request log share: requests are sent, and what was appended to its files meanwhile is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.faults.base import Witness
from harness.faults.hooks import HookFault
from harness.stack import LiveStack, LogsSignal

_MOST_BYTES = 64 << 20


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
