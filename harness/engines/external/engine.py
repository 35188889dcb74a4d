"""The external engine: attaches to a system that runs already, starts and renders nothing, and heals what it broke.

Where each role is reached stands in stack.yaml (`external: {http: "host:port"}`, or `"${env:NAME}"`); a role without
it is not there. Only faults that work through hooks can be played, and only if allowed
(`tocsin.harness.declarations.guardrails.forbidden`). Every fault outlives us here: the guardian heals it should we die.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.http import call
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import Role, Stack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.bring_up import running
from tocsin.harness.engines.common.edge_proxies import ProxyProcess
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend, RoleDriver
from tocsin.harness.engines.common.run_folders import Run, RunFolders
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.common.stack_state import StackState, places_in

_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_CONNECT_S = 2.0
_HEALTH_S = 5.0
RoleAddresses = Mapping[str, Mapping[str, str]]
"""Role -> port name -> `host:port`."""


class ExternalEngine:
    """Gives a stack that was there before, and leaves it as it was."""

    owns_stack = False
    around_play_s = 12

    def capabilities(self, stack: Stack) -> frozenset[str]:
        """Return nothing: what is not ours is neither ended nor frozen nor limited."""
        return frozenset()

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return nothing: no role is started here."""
        return ()

    def up(self, timeline: Timeline, run: Run, journal: Journal) -> AbstractContextManager[RunningStack]:
        """Attach, give the stack, and end our own processes on every way out; StackError if a role does not answer."""
        return running(ExternalAttempt(stack=timeline.stack, run=run, journal=journal), run, journal)


@dataclass(frozen=True, kw_only=True)
class ExternalAttempt:
    """Attaches to the roles that have an address."""

    stack: Stack
    run: Run
    journal: Journal

    def prepare(self) -> ExternalBackend:
        """Read where each role is reached."""
        return ExternalBackend.of(self.stack, external_addresses(self.stack), self.run)

    def start(self, backend: ExternalBackend, live: RunningStack) -> None:
        """See that each role answers."""
        for name, role in backend.roles.items():
            role.check_health()
            self.journal.note("role_healthy", role=name, took_s=0.0)
        live.write_down()

    def port_taken(self, error: BaseException) -> bool:
        """Return False: no port is ours."""
        return False


def external_addresses(stack: Stack) -> dict[str, dict[str, str]]:
    """Return where each role is reached; StackError names what is missing or is no address."""
    addresses = {
        name: {port: _filled(name, text) for port, text in role.external.items()}
        for name, role in stack.roles.items()
        if role.external
    }
    if stack.payload.role not in addresses:
        hint = 'Give the role `external: {http: "host:port"}`.'
        raise StackError(f"stack.yaml does not say where {stack.payload.role!r} is reached.", hint=hint)
    return addresses


def _filled(role: str, text: str) -> str:
    absent = [name for name in _ENV.findall(text) if name not in os.environ]
    if absent:
        raise StackError(f"Role {role!r} needs the environment variable {', '.join(absent)}.", hint="Set it.")
    address = _ENV.sub(lambda match: os.environ[match.group(1)], text)
    if not re.fullmatch(r"[^\s:/]+:\d{1,5}", address):
        raise StackError(f"Role {role!r} is said to be at {address!r}; expected host:port.", hint="Correct it.")
    return address


class ExternalRole(RoleDriver):
    """A role that somebody else runs: it can be asked, and nothing else."""

    engine: ClassVar[str] = "external"

    def __init__(self, name: str, address: str, declared: Role) -> None:
        self.name, self._address, self._health_path = name, address, declared.health.http

    def refuse(self, action: str) -> NoReturn:
        """Raise the StackError for what takes processes of our own."""
        raise StackError(f"This stack is not ours: Tocsin does not {action}.", hint="Play it with --engine local.")

    @property
    def alive(self) -> bool:
        """Whether it accepts connections."""
        try:
            self._connect()
        except OSError:
            return False
        return True

    def check_health(self) -> None:
        """See that it answers: its health path, or a connection; StackError if it does not."""
        path = self._health_path
        try:
            if path is None or "{" in path:
                self._connect()
                return
            status, _ = call("GET", self._address, path, within_s=_HEALTH_S)
        except OSError as error:
            raise StackError(f"{self.name} at {self._address} does not answer: {error}.", hint="Is it up?") from None
        if status != 200:
            raise StackError(f"{self.name} at {self._address}{path} answers {status}; expected 200.", hint="Repair it.")

    def _connect(self) -> None:
        host, _, port = self._address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()


@dataclass(frozen=True, kw_only=True)
class ExternalPlaces(Places):
    """Roles that are reached at addresses of stack.yaml; no proxy stands before them."""

    external: RoleAddresses

    def addresses(self) -> RoleAddresses:
        """Return role -> port name -> address."""
        return self.external

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `host:port` of a role, its first address by default; StackError names the roles that have one."""
        ports = self.external.get(role, {})
        name = next(iter(ports), None) if port is None else port
        if name is None or name not in ports:
            known = ", ".join(self.external)
            raise StackError(f"stack.yaml says no `external` address of {role!r} {port or ''}; known roles: {known}.")
        return ports[name]


@dataclass(kw_only=True)
class ExternalBackend(Backend):
    """The roles of a stack that have an address."""

    roles: Mapping[str, ExternalRole]

    @classmethod
    def of(cls, stack: Stack, addresses: RoleAddresses, run: RunFolders) -> ExternalBackend:
        """Return the backend of the roles that have an address."""
        present = {name: role for name, role in stack.roles.items() if name in addresses}
        reached = stack.model_copy(update={"roles": present}).at(stack.folder)
        places = ExternalPlaces(stack=reached, work=run.work, run_id=run.id, speed=1.0, ports={}, external=addresses)
        roles = {name: ExternalRole(name, places.address(name), role) for name, role in present.items()}
        helpers = ProxyProcess(places, run)
        backend = cls(engine="external", places=places, capabilities=frozenset(), roles=roles, helpers=helpers)
        backend.faults_outlive = True
        return backend

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> ExternalBackend:
        """Return the backend of a run of another process."""
        return cls.of(places_in(content, run.work).stack, content["addresses"], run)
