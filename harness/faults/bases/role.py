"""Faults of a whole role: what they blind, how the role is started again, and whether it is well to its callers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, ClassVar

from tocsin.harness.core.http import call
from tocsin.harness.declarations.check_arguments import Ref
from tocsin.harness.declarations.fault_contract import Fault, Params, Witness, absent, absent_if, cannot_tell, present
from tocsin.harness.declarations.stack import Stack, ends_of
from tocsin.harness.declarations.stack_interface import Addresses, LiveStack, Roles

SEES = {
    "prometheus": ("metrics", "alerts", "notifications", "drift"),
    "alertmanager": ("notifications",),
    "pager": ("notifications",),
}
"""What is seen through the monitoring's own roles: without Prometheus no alert arises, so none is notified."""
_CONNECT_S = 2.0
_HEALTH_S = 5.0


class RoleParams(Params):
    """`role` that is broken."""

    role: Annotated[str, Ref(kind="role")]
    example = {"role": "model"}


class RoleFault(Fault):
    """A fault of a whole role: what comes out of the role, or through it, is not seen meanwhile."""

    params: RoleParams
    capabilities: ClassVar[tuple[str, ...]] = ("start",)

    def needs(self) -> tuple[str, ...]:
        """Return the role, and what must be possible with it."""
        return (f"role:{self.params.role}", *super().needs())

    def blinds(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Return the signals that come out of the role, or through it."""
        return blinded(self.params.role, stack)

    def heal(self, live: LiveStack) -> None:
        """Start the role again on the same ports and wait until it is healthy, unless it runs."""
        start_again(live, self.params.role)


class LimitFault(RoleFault):
    """A fault that limits what a role may use."""

    def heal(self, live: LiveStack) -> None:
        """Lift the limit, and start the role if it did not survive."""
        live.limit(self.params.role)
        super().heal(live)


class NewProcessFault(RoleFault):
    """A fault that replaces the role's process. It first writes down when the old process began."""

    def heal(self, live: LiveStack) -> None:
        """Forget the old process; start the role if it does not run."""
        self.record(live).unlink(missing_ok=True)
        super().heal(live)

    def witness(self, live: LiveStack) -> Witness:
        """Another process than before runs, or none: present. After the heal, well: absent."""
        record, role = self.record(live), self.params.role
        if not record.exists():
            return health(live, role)
        began = live.usage(role).get("began")
        if began is None:
            return present(f"{role} does not run")
        if repr(began) == record.read_text(encoding="ascii"):
            return absent(f"{role} is the process that it was")
        return present(f"{role} is a process that began later")

    def record(self, live: LiveStack) -> Path:
        """Return the file of the work folder that holds when the old process began."""
        return live.work / f"{self.kind.replace('_', '-')}-{self.params.role}"

    def remember(self, live: LiveStack) -> None:
        """Write down when the process began, unless it is written already."""
        record = self.record(live)
        if not record.exists():
            record.write_text(repr(live.usage(self.params.role).get("began")), encoding="ascii")


def blinded(role: str, stack: Stack) -> tuple[tuple[str, str], ...]:
    """Return the signals that come out of a role, or through it, while it does not work: pairs (signal, role)."""
    signals = list(SEES.get(role, ()))
    if role == stack.payload.role:
        signals += ["logs", "drift"]
    if stack.signals.logs is not None:
        store = stack.signals.logs.role
        edges = {ends_of(edge) for edge in stack.all_edges}
        if role == store or (role, store) in edges:
            signals.append("logs")
    return tuple((signal, role) for signal in dict.fromkeys(signals))


def start_again(live: Roles, role: str) -> None:
    """Start a role on the same ports and wait until it is healthy, unless it runs."""
    if not live.alive(role):
        live.restart(role)


def health_path(stack: Stack, role: str) -> str | None:
    """Return the path of a role's health check, None if it has none, or one with placeholders."""
    path = stack.roles[role].health.http
    if path is None or "{" in path:
        return None
    return path


def health(live: LiveStack, role: str) -> Witness:
    """Ask a role for its health: 200 is `absent`, or that it runs if it has no address to ask; else `cannot_tell`."""
    path = health_path(live.stack, role)
    if path is not None:
        well, detail = _ask_health(live, role, path, _HEALTH_S)
        return absent_if(well, detail)
    return absent(f"{role} runs") if live.alive(role) else cannot_tell(f"{role} does not run")


def unanswered(live: LiveStack, role: str, *, within_s: float = 1.0) -> str:
    """Ask a role for its health on a new connection; return why there was no 200, or nothing if there was.

    A role without an address to ask counts as unanswered when all its processes are frozen.
    """
    path = health_path(live.stack, role)
    if path is not None:
        well, detail = _ask_health(live, role, path, within_s)
        return "" if well else detail
    frozen, processes = live.frozen(role)
    return f"{frozen} of {processes} processes of {role} are frozen" if frozen == processes else ""


def _ask_health(live: Addresses, role: str, path: str, within_s: float) -> tuple[bool, str]:
    """Return whether the role answers 200, and a sentence of what it answers."""
    address = live.address(role)
    try:
        status, _ = call("GET", address, path, within_s=within_s)
    except OSError as error:
        return False, f"{role} at {address}{path}: {error}"
    return status == 200, f"{role} at {address}{path} answers {status}"


def refusing(live: Addresses, role: str) -> Witness:
    """Connect to a role's primary port: refused is present, taken is absent, anything else cannot tell."""
    address = live.address(role)
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except ConnectionRefusedError:
        return present(f"{role} at {address} refuses connections")
    except OSError as error:
        return cannot_tell(f"{role} at {address}: {error}")
    return absent(f"{role} at {address} takes connections")


def gone(live: LiveStack, role: str) -> Witness:
    """Connect to a role as its callers do: refused is present, else its health tells.

    A role without an address to ask is gone if it does not run.
    """
    if live.stack.roles[role].health.http is None:
        return absent(f"{role} runs") if live.alive(role) else present(f"{role} does not run")
    refused = refusing(live, role)
    return health(live, role) if refused.state == "absent" else refused
