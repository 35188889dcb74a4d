"""What faults inside the service share: they are turned on and off through a hook that stack.yaml declares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.stack import Hook, Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params

_MISSED = 0.01


class NoParams(Params):
    """No parameters."""


class HookFault:
    """A fault with a hook of its own name, which takes its parameters as they stand; the witness is left to say."""

    kind: ClassVar[str]

    def __init__(self, params: Any) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the hook it works through."""
        return (f"hook:{self.kind}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return nothing: a wrong, late or failing answer is counted and logged."""
        return ()

    def role(self, stack: Stack) -> str:
        """Return the role whose hook it is; the one that serves where no hook says so."""
        hook = stack.hooks.get(self.kind)
        return hook.role if hook else stack.payload.role

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on; StackError if the service does not take it."""
        turn_on(live, self.kind, self.params.model_dump())

    def heal(self, live: LiveStack) -> None:
        """Turn the hook off; HealError if a service that is up refuses."""
        turn_off(live, self.kind)


def turn_on(live: LiveStack, name: str, params: Mapping[str, Any]) -> None:
    """PUT the parameters to the hook; StackError if the service does not take them."""
    hook, address = _hook(live, name)
    try:
        status, text = call("PUT", address, hook.path, params)
    except OSError as error:
        raise StackError(f"Hook {name} at {address} does not answer: {error}.", hint="See the role's log.") from None
    if not 200 <= status < 300:
        raise StackError(f"Hook {name} at {address} answered {status}: {text[:200]}", hint="Expected 2xx to PUT.")


def turn_off(live: LiveStack, name: str) -> None:
    """DELETE the hook. A service that is down has nothing left of it; HealError if one that is up refuses."""
    hook, address = _hook(live, name)
    try:
        status, text = call("DELETE", address, hook.path)
    except OSError as error:
        if not live.alive(hook.role):
            return
        raise HealError(f"Hook {name} at {address} cannot be turned off: {error}.") from None
    if not (200 <= status < 300 or status == 404):
        raise HealError(f"Hook {name} at {address} answered {status} to DELETE: {text[:200]}")


def enough_probes(share: float, *, fewest: int, most: int) -> int:
    """Return how many requests miss a fault of this share once in a hundred looks, within limits."""
    enough = 1 if share >= 1 else math.ceil(math.log(_MISSED) / math.log(1 - share))
    return min(max(enough, fewest), most)


def _hook(live: LiveStack, name: str) -> tuple[Hook, str]:
    hook = live.stack.hooks[name]
    return hook, live.address(hook.role, hook.port)
