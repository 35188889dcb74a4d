"""Makes the pager refuse notifications, so that Alertmanager must send them again."""

from __future__ import annotations

from pydantic import Field

from tocsin.harness.core.http import call
from tocsin.harness.declarations.check_arguments import ReceiverName
from tocsin.harness.declarations.fault_contract import Params, Witness, absent_if, present
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.hook import HookFault, enough_probes
from tocsin.harness.faults.bases.role import SEES

_NO_RECEIVER = "/tocsin-probe"
_NO_NOTIFICATION = 400
"""The answer of a good pager to a body that is no notification."""


class PagerErrorParams(Params):
    """`status` (401 to 599) for `share` of the notifications, of `receiver` or of all."""

    status: int = Field(default=500, ge=401, le=599)
    share: float = Field(default=1.0, gt=0, le=1)
    receiver: ReceiverName | None = None
    example = {"status": 429}


class PagerError(HookFault):
    """The pager refuses a share of the notifications."""

    params: PagerErrorParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the notifications, unless those of the Watchdog still get through."""
        watchdog, receiver = stack.signals.watchdog, self.params.receiver
        if receiver is not None and watchdog is not None and receiver != watchdog.receiver:
            return ()
        return tuple((signal, "pager") for signal in SEES["pager"])

    def witness(self, live: LiveStack) -> Witness:
        """Post until one call is refused: present. None of 2 to 40, as many as the share takes: absent.

        What is posted is no notification, which a good pager answers with 400.
        """
        address = live.address(self.role(live.stack))
        path = f"/{self.params.receiver}" if self.params.receiver else _NO_RECEIVER
        statuses = set()
        for _ in range(enough_probes(self.params.share, fewest=2, most=40)):
            status, _text = call("POST", address, path, body={})
            if status == self.params.status:
                return present(f"a call of {path} was told {status}")
            statuses.add(status)
        answers = ", ".join(str(status) for status in sorted(statuses))
        return absent_if(statuses == {_NO_NOTIFICATION}, f"calls of {path} were told {answers}")
