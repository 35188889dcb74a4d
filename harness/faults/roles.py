"""What faults of a role share, and what is known of its process from outside: pid, whether it is stopped, or well."""

from __future__ import annotations

import json
from typing import Annotated, Any

import psutil

from harness.check import Ref
from harness.faults.base import Params, Witness
from harness.faults.calls import call
from harness.stack import LiveStack, Stack

SEES = {
    "prometheus": ("metrics", "alerts", "notifications", "drift"),
    "alertmanager": ("notifications",),
    "pager": ("notifications",),
}
"""What is seen through the monitoring's own roles: without Prometheus no alert arises, so none is notified."""


def blinded(role: str, stack: Stack) -> tuple[tuple[str, str], ...]:
    """Return the signals that come out of a role, or through it, while it does not work: pairs (signal, role)."""
    signals = list(SEES.get(role, ()))
    if role == stack.payload.role:
        signals += ["logs", "drift"]
    far_end = stack.signals.logs.role if stack.signals.logs else None
    if far_end and (role == far_end or (role, far_end) in _edges(stack)):
        signals.append("logs")
    return tuple((signal, role) for signal in dict.fromkeys(signals))


def _edges(stack: Stack) -> set[tuple[str, str]]:
    halves = (edge.partition("->") for edge in stack.edges)
    return {(caller.strip(), called.strip()) for caller, _, called in halves}


class RoleParams(Params):
    """`role` that is broken."""

    role: Annotated[str, Ref(kind="role")]


class RoleFault:
    """A fault of a whole role: what comes out of the role, or through it, is not seen meanwhile."""

    def __init__(self, params: Any) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the role."""
        return (f"role:{self.params.role}",)

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it."""
        return blinded(self.params.role, stack)


def pid_of(live: LiveStack, role: str) -> int | None:
    """Return the pid of a role's process as the engine wrote it down, None while it is stopped."""
    pid = json.loads((live.work / "stack.json").read_text(encoding="utf-8"))["pids"].get(role)
    return int(pid) if pid is not None else None


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; empty when it is gone."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def health(live: LiveStack, role: str) -> Witness:
    """Ask a role for its health: 200, or for one without an address that it runs, is `absent`; else `cannot_tell`."""
    local = live.stack.roles[role].local
    path = local.health.http if local else None
    if path is None or "{" in path:
        state = "absent" if live.alive(role) else "cannot_tell"
        return Witness(state=state, detail=f"{role} {'runs' if state == 'absent' else 'does not run'}")  # type: ignore[arg-type]
    address = live.address(role)
    try:
        status, _ = call("GET", address, path)
    except OSError as error:
        return Witness(state="cannot_tell", detail=f"{role} at {address}{path}: {error}")
    return Witness(
        state="absent" if status == 200 else "cannot_tell", detail=f"{role} at {address}{path} answers {status}"
    )
