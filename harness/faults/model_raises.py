"""The model raises an exception for a share of the requests: clients see HTTP 500."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from harness.errors import HealError, StackError
from harness.faults.base import Params, Witness
from harness.faults.calls import call
from harness.stack import Hook, LiveStack, Stack

HOOK = "model_raises"
_FEWEST, _MOST = 20, 200
_MISSED = 0.01


class ModelRaisesParams(Params):
    """`share` of the requests that fail, in (0, 1]."""

    share: float = Field(gt=0, le=1)


class ModelRaises:
    """Switches the fault on and off through the service's hook; the witness asks the service as a client does."""

    kind: ClassVar[str] = "model_raises"
    summary: ClassVar[str] = "The model raises for a share of the requests."
    Params: ClassVar[type[Params]] = ModelRaisesParams

    def __init__(self, params: ModelRaisesParams) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the hook it works through."""
        return (f"hook:{HOOK}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: a failing answer is counted and logged."""
        return ()

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on; StackError if the service does not take it."""
        hook, address = _hook(live)
        try:
            status, text = call("PUT", address, hook.path, {"share": self.params.share})
        except OSError as error:
            raise StackError(
                f"Hook {HOOK} at {address} does not answer: {error}.", hint="See the role's log."
            ) from None
        if not 200 <= status < 300:
            raise StackError(f"Hook {HOOK} at {address} answered {status}: {text[:200]}", hint="Expected 2xx to PUT.")

    def heal(self, live: LiveStack) -> None:
        """Turn the hook off. A service that is down has nothing left of it; HealError if one that is up refuses."""
        hook, address = _hook(live)
        try:
            status, text = call("DELETE", address, hook.path)
        except OSError as error:
            if not live.alive(hook.role):
                return
            raise HealError(f"Hook {HOOK} at {address} cannot be turned off: {error}.") from None
        if not (200 <= status < 300 or status == 404):
            raise HealError(f"Hook {HOOK} at {address} answered {status} to DELETE: {text[:200]}")

    def witness(self, live: LiveStack) -> Witness:
        """Send normal requests: any 500 shows the fault, all 200 its absence.

        So many are sent that a fault of this share is missed by one look in a hundred at most (20 to 200 requests).
        """
        statuses = live.prober.probe(self.probes)
        failed = sum(status == 500 for status in statuses)
        if failed:
            return Witness(state="present", detail=f"{failed} of {len(statuses)} answered 500")
        answered = sum(status == 200 for status in statuses)
        state = "absent" if statuses and answered == len(statuses) else "cannot_tell"
        return Witness(state=state, detail=f"{answered} of {len(statuses)} answered 200")  # type: ignore[arg-type]

    @property
    def probes(self) -> int:
        """How many requests one look takes."""
        if self.params.share >= 1:
            return _FEWEST
        enough = math.ceil(math.log(_MISSED) / math.log(1 - self.params.share))
        return min(max(enough, _FEWEST), _MOST)


def _hook(live: LiveStack) -> tuple[Hook, str]:
    hook = live.stack.hooks[HOOK]
    return hook, live.address(hook.role, hook.port)
