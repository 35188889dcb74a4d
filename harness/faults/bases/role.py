"""What faults of a role share: what it blinds, and whether the role is well as its callers see it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Any, ClassVar

from tocsin.harness.declarations.live_stack import LiveStack
from tocsin.harness.declarations.references import Ref
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.faults.bases.calls import call
from tocsin.harness.faults.bases.fault import Params, Witness

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


_CONNECT_S = 2.0


class RoleParams(Params):
    """`role` that is broken."""

    role: Annotated[str, Ref(kind="role")]


class RoleFault:
    """A fault of a whole role: what comes out of the role, or through it, is not seen meanwhile."""

    handles: ClassVar[tuple[str, ...]] = ("start",)
    """What the engine must offer (`tocsin.harness.faults.bases.fault.HANDLES`)."""

    def __init__(self, params: Any) -> None:
        self.params = params

    def needs(self) -> tuple[str, ...]:
        """Return the role, and what must be possible with it."""
        return (f"role:{self.params.role}", *(f"handle:{name}" for name in self.handles))

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it."""
        return blinded(self.params.role, stack)


def health(live: LiveStack, role: str) -> Witness:
    """Ask a role for its health: 200, or for one without an address that it runs, is `absent`; else `cannot_tell`."""
    path = live.stack.roles[role].health.http
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


def unreachable(live: LiveStack, role: str) -> str:
    """Connect to a role's address as its callers do; return what refuses, or nothing if somebody listens.

    A role without an address to ask is asked whether it runs. OSError for anything else than refused.
    """
    if live.stack.roles[role].health.http is None:
        return "" if live.alive(role) else f"{role} does not run"
    return refusing(live, role)


def refusing(live: LiveStack, role: str) -> str:
    """Connect to a role's primary port; return what refuses, nothing if somebody listens. OSError for anything else."""
    address = live.address(role)
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except ConnectionRefusedError:
        return f"{role} at {address} refuses connections"
    return ""


def unanswered(live: LiveStack, role: str, *, within_s: float = 1.0) -> str:
    """Ask a role for its health on a connection of its own; return why there was no 200, or nothing if there was.

    A role without an address to ask is asked whether all its processes are frozen.
    """
    path = live.stack.roles[role].health.http
    if path is None or "{" in path:
        stopped, all_of_it = live.frozen(role)
        return f"{stopped} of {all_of_it} processes of {role} are frozen" if stopped == all_of_it else ""
    try:
        status, _ = call("GET", live.address(role), path, within_s=within_s)
    except OSError as error:
        return f"{role} at {live.address(role)}{path}: {error}"
    return "" if status == 200 else f"{role} at {live.address(role)}{path} answers {status}"


def gone(live: LiveStack, role: str) -> Witness:
    """Refused: present. Else whether the role is well."""
    try:
        refused = unreachable(live, role)
    except OSError as error:
        return Witness(state="cannot_tell", detail=f"{role} at {live.address(role)}: {error}")
    return Witness(state="present", detail=refused) if refused else health(live, role)


def remembered(live: LiveStack, name: str, *, role: str) -> Path:
    """Write down when a role's process began, unless it is written already; return the file in the work folder."""
    place = live.work / name
    if not place.exists():
        place.write_text(repr(live.usage(role).get("began")), encoding="ascii")
    return place


def begun_later(live: LiveStack, place: Path, *, role: str) -> Witness:
    """Compare the role's process with the one written down: another, or none, is present. Nothing written: health."""
    if not place.exists():
        return health(live, role)
    began = live.usage(role).get("began")
    if began is None:
        return Witness(state="present", detail=f"{role} does not run")
    if repr(began) == place.read_text(encoding="ascii"):
        return Witness(state="absent", detail=f"{role} is the process that it was")
    return Witness(state="present", detail=f"{role} is a process that began later")
