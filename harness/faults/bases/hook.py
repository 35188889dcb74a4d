"""Faults inside a service or an exporter: they are turned on and off over HTTP, through a hook of stack.yaml."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from tocsin.harness.core.errors import HealError, StackError
from tocsin.harness.core.http import call
from tocsin.harness.declarations.fault_contract import Fault, Params, Witness, absent, cannot_tell, present
from tocsin.harness.declarations.stack import Hook, Stack
from tocsin.harness.declarations.stack_interface import Canary, LiveStack
from tocsin.harness.faults.bases.role import RoleParams

_MISSED = 0.01
_SLOW = 0.8


class ShareParams(Params):
    """`share` of the requests, or of their log lines, that it hits, in (0, 1]."""

    share: float = Field(gt=0, le=1)
    example = {"share": 0.5}


class HookFault(Fault):
    """A fault that a service plays on itself. The hook is named like the fault and takes its parameters as they are."""

    @property
    def hook_name(self) -> str:
        """The name of the hook in stack.yaml."""
        return self.kind

    def needs(self) -> tuple[str, ...]:
        """Return the hook, and what must be possible with its role."""
        return (f"hook:{self.hook_name}", *super().needs())

    def role(self, stack: Stack) -> str:
        """Return the role that has the hook, or the serving role if the stack has no such hook."""
        hook = stack.hook(self.hook_name)
        return stack.payload.role if hook is None else hook.role

    def settings(self, live: LiveStack) -> Mapping[str, object]:
        """Return the JSON object that turns the hook on: the parameters, unless a subclass translates them."""
        return self.params.model_dump()

    def inject(self, live: LiveStack) -> None:
        """Turn the hook on with PUT; StackError if the service does not take it."""
        hook, address = self._hook(live)
        name = f"Hook {self.hook_name} at {address}"
        try:
            status, text = call("PUT", address, hook.path, body=self.settings(live))
        except OSError as error:
            raise StackError(f"{name} does not answer: {error}.", hint="See the role's log.") from None
        if not 200 <= status < 300:
            raise StackError(f"{name} answered {status}: {text[:200]}", hint="Expected 2xx to PUT.")

    def heal(self, live: LiveStack) -> None:
        """Turn the hook off with DELETE. A role that is down has no fault left; HealError if one that is up refuses."""
        hook, address = self._hook(live)
        name = f"Hook {self.hook_name} at {address}"
        try:
            status, text = call("DELETE", address, hook.path)
        except OSError as error:
            if not live.alive(hook.role):
                return
            raise HealError(f"{name} cannot be turned off: {error}.") from None
        if not (200 <= status < 300 or status == 404):
            raise HealError(f"{name} answered {status} to DELETE: {text[:200]}")

    def record(self, live: LiveStack) -> Path:
        """Return a file of the work folder for what was before, for faults that write it down."""
        return live.work / f"{self.kind}-{self.role(live.stack)}"

    def _hook(self, live: LiveStack) -> tuple[Hook, str]:
        """Return the hook and the address of its port."""
        hook = live.stack.hook(self.hook_name)
        if hook is None:
            raise StackError(f"Stack {live.stack.name!r} has no hook {self.hook_name!r}.", hint="See stack.yaml.")
        return hook, live.address(hook.role, hook.port)


class ExporterParams(RoleParams):
    """`role` of an exporter."""

    example = {"role": "gpu"}


class ExporterFault(HookFault):
    """Changes how an exporter answers scrapes; the witness scrapes it, too. What it tells or fails to tell is seen."""

    params: ExporterParams

    @property
    def hook_name(self) -> str:
        """The hook of this kind and role."""
        return f"{self.kind}/{self.params.role}"

    def needs(self) -> tuple[str, ...]:
        """Return the role and its hook."""
        return (f"role:{self.params.role}", *super().needs())

    def settings(self, live: LiveStack) -> Mapping[str, object]:
        """Return the parameters without the role, which the hook's name holds."""
        return self.params.model_dump(exclude={"role"})


def enough_probes(share: float, *, fewest: int = 20, most: int = 200) -> int:
    """Return how many requests find a fault of this share in 99 of 100 looks, within limits."""
    if share >= 1:
        return fewest
    enough = math.ceil(math.log(_MISSED) / math.log(1 - share))
    return min(max(enough, fewest), most)


def time_answers(live: Canary, probes: int, delay_ms: float) -> Witness:
    """Time single requests: one that takes four fifths of the delay shows the fault, none of `probes` its absence."""
    slowest_ms = 0.0
    for _ in range(probes):
        began = time.perf_counter()
        statuses = live.prober.probe(1)
        slowest_ms = max(slowest_ms, 1000 * (time.perf_counter() - began))
        if not statuses or not statuses[0]:
            return cannot_tell("no answer")
        if slowest_ms >= _SLOW * delay_ms:
            return present(f"one answer took {slowest_ms:.0f} ms")
    return absent(f"the slowest answer took {slowest_ms:.0f} ms")
