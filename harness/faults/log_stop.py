"""The service serves on and logs nothing any more; it takes its lines for written."""

from __future__ import annotations

from typing import ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import NoParams
from tocsin.harness.faults.bases.log_file import LogFault

_PROBES = 5


class LogStop(LogFault):
    """Stops the lines through the service's hook; the witness looks whether its own requests make the files grow."""

    kind: ClassVar[str] = "log_stop"
    summary: ClassVar[str] = "The service serves on and logs nothing."
    Params: ClassVar[type[Params]] = NoParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the logs: no canary comes out of them."""
        return (("logs", self.role(stack)),)

    def witness(self, live: LiveStack) -> Witness:
        """Requests are answered and no line is written: present. A line: absent."""
        seen = self.appended(live, _PROBES)
        detail = f"{seen.answered} of {seen.sent} requests were answered 200; {len(seen.lines)} lines were written"
        if seen.lines:
            return Witness(state="absent", detail=detail)
        return Witness(state="present" if seen.answered == seen.sent > 0 else "cannot_tell", detail=detail)
