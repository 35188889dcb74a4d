"""A role is killed (SIGKILL), and started again by the heal."""

from __future__ import annotations

import socket
from typing import Annotated, ClassVar

from harness.check import Ref
from harness.faults.base import Params, Witness
from harness.faults.calls import call
from harness.stack import LiveStack, Stack

_CONNECT_S = 2.0


class KillParams(Params):
    """`role` that is killed."""

    role: Annotated[str, Ref(kind="role")]


class Kill:
    """Ends a role without warning; the witness connects to its address as its callers do."""

    kind: ClassVar[str] = "kill"
    summary: ClassVar[str] = "A role is killed, and started again at the end."
    Params: ClassVar[type[Params]] = KillParams

    def __init__(self, params: KillParams) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the role."""
        return (f"role:{self.params.role}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it."""
        role = self.params.role
        signals = list(_SEES.get(role, ()))
        if role == stack.payload.role:
            signals += ["logs", "drift"]
        far_end = stack.signals.logs.role if stack.signals.logs else None
        if far_end and (role == far_end or (role, far_end) in _edges(stack)):
            signals.append("logs")
        return tuple((signal, role) for signal in dict.fromkeys(signals))

    def inject(self, live: LiveStack) -> None:
        """Kill it."""
        live.stop(self.params.role, kill=True)

    def heal(self, live: LiveStack) -> None:
        """Start it again on the same ports and wait until it is healthy, unless it runs."""
        if not live.alive(self.params.role):
            live.restart(self.params.role)

    def witness(self, live: LiveStack) -> Witness:
        """Connect to it: refused shows the fault, a healthy answer its absence. Without an address: does it run?"""
        role = self.params.role
        local = live.stack.roles[role].local
        if local is not None and local.health.http is None:
            return _alive(live, role)
        address = live.address(role)
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        except ConnectionRefusedError:
            return Witness(state="present", detail=f"{role} at {address} refuses connections")
        except OSError as error:
            return Witness(state="cannot_tell", detail=f"{role} at {address}: {error}")
        return _healthy(address, role, local.health.http if local else None)


_SEES = {
    "prometheus": ("metrics", "alerts", "notifications", "drift"),
    "alertmanager": ("notifications",),
    "pager": ("notifications",),
}
"""What is seen through the monitoring's own roles: without Prometheus no alert arises, so none is notified."""


def _edges(stack: Stack) -> set[tuple[str, str]]:
    halves = (edge.partition("->") for edge in stack.edges)
    return {(caller.strip(), called.strip()) for caller, _, called in halves}


def _alive(live: LiveStack, role: str) -> Witness:
    if live.alive(role):
        return Witness(state="absent", detail=f"{role} runs")
    return Witness(state="present", detail=f"{role} does not run")


def _healthy(address: str, role: str, path: str | None) -> Witness:
    if path is None or "{" in path:
        return Witness(state="absent", detail=f"{role} at {address} accepts connections")
    try:
        status, _ = call("GET", address, path)
    except OSError as error:
        return Witness(state="cannot_tell", detail=f"{role} at {address} accepts connections, but {path}: {error}")
    state = "absent" if status == 200 else "cannot_tell"
    return Witness(state=state, detail=f"{role} at {address}{path} answers {status}")  # type: ignore[arg-type]
