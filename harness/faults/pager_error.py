"""The pager refuses notifications: Alertmanager must send them again."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.references import ReceiverName
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params, Witness
from tocsin.harness.faults.bases.hook import HookFault, enough_probes
from tocsin.harness.faults.bases.role import SEES

_FEWEST, _MOST = 2, 40
_NONE_OF_IT = "/tocsin-probe"
_NO_NOTIFICATION = 400


class PagerErrorParams(Params):
    """`status` (401 to 599) for `share` of the notifications, of `receiver` or of all."""

    status: int = Field(default=500, ge=401, le=599)
    share: float = Field(default=1.0, gt=0, le=1)
    receiver: ReceiverName | None = None


class PagerError(HookFault):
    """Refuses them through the pager's hook. The witness posts what is no notification: a good pager tells it 400."""

    kind: ClassVar[str] = "pager_error"
    summary: ClassVar[str] = "The pager refuses a share of the notifications."
    Params: ClassVar[type[Params]] = PagerErrorParams

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the notifications, unless those of the Watchdog still get through."""
        watchdog = stack.signals.watchdog
        beats = self.params.receiver is not None and watchdog and self.params.receiver != watchdog.receiver
        return () if beats else tuple((signal, "pager") for signal in SEES["pager"])

    def witness(self, live: LiveStack) -> Witness:
        """Post until one call is refused; none of 2 to 40, so that one look in a hundred misses the share: absent."""
        address = live.address(live.stack.hooks[self.kind].role)
        path = f"/{self.params.receiver}" if self.params.receiver else _NONE_OF_IT
        seen = set()
        for _ in range(enough_probes(self.params.share, fewest=_FEWEST, most=_MOST)):
            status, _text = call("POST", address, path, {})
            if status == self.params.status:
                return Witness(state="present", detail=f"a call of {path} was told {status}")
            seen.add(status)
        state = "absent" if seen == {_NO_NOTIFICATION} else "cannot_tell"
        told = ", ".join(str(status) for status in sorted(seen))
        return Witness(state=state, detail=f"calls of {path} were told {told}")  # type: ignore[arg-type]
