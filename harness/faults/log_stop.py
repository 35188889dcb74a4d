"""Stops the lines of the log while the service takes them for written; the witness sends requests and looks."""

from __future__ import annotations

from tocsin.harness.declarations.fault_contract import Witness, absent, present_if
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.log_file import LogFault

_PROBES = 5


class LogStop(LogFault):
    """The service serves on and logs nothing."""

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the logs: no canary comes out of them."""
        return (("logs", self.role(stack)),)

    def witness(self, live: LiveStack) -> Witness:
        """Requests are answered and no line is written: present. A line: absent."""
        seen = self.appended(live, _PROBES)
        detail = f"{seen.answered} of {seen.sent} requests were answered 200; {len(seen.lines)} lines were written"
        if seen.lines:
            return absent(detail)
        return present_if(seen.answered == seen.sent > 0, detail, otherwise="cannot_tell")
