"""The external engine: attaches to a system that runs already, starts and renders nothing, and mends what it broke.

Where each role is reached stands in stack.yaml (`external: {http: "host:port"}`, or `"${env:NAME}"`); a role without
it is not there. Only faults that work through hooks can be played, with leave (`tocsin.harness.declarations.guardrails.forbidden`). Every
fault outlives us here, and is written down so: a guardian heals it should we die.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.live_stack import EdgeProxy
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.child_processes import Child, Nursery, end_all
from tocsin.harness.engines.common.health import request
from tocsin.harness.engines.common.live_stack_base import Attended
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.stack_state import NAME
from tocsin.harness.engines.guardian.guard_record import GUARD, Record
from tocsin.harness.engines.kernel.run_processes import kill_carriers, remove_folder

_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_CONNECT_S = 2.0
_HEALTH_S = 5.0
Addresses = Mapping[str, Mapping[str, str]]
"""Role -> port name -> `host:port`."""


class ExternalEngine:
    """Gives a stack that was there before, and leaves it as it was."""

    name = "external"
    owns_stack = False

    def handles(self, stack: Stack) -> frozenset[str]:
        """Return nothing: what is not ours is neither ended nor frozen nor limited."""
        return frozenset()

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return nothing: nothing is started here."""
        return ()

    @contextmanager
    def up(self, timeline: Timeline, run: Run, journal: Journal) -> Iterator[ExternalStack]:
        """Attach, give the stack, and end our own processes on every way out; StackError if a role does not answer."""
        with closing(run):
            addresses = addresses_of(timeline.stack)
            live = ExternalStack(
                stack=present(timeline.stack, addresses),
                addresses=addresses,
                work=run.work,
                run_id=run.id,
                nursery=Nursery(run_id=run.id, logs=run.folder / "stack-logs"),
                record=run.work / GUARD,
                now=run.clock.now,
            )
            for role in live.stack.roles:
                live.look(role)
                journal.note("role_healthy", role=role, took_s=0.0)
            live.write_down()
            run.guard.needed = True
            try:
                yield live
            finally:
                live.leave()
                if not live.unhealed():  # else the guardian, which is needed still, tries again
                    remove_folder(run.work)
                    run.guard.needed = False
                journal.note("stack_down")


def addresses_of(stack: Stack) -> dict[str, dict[str, str]]:
    """Return where each role is reached; StackError names what is missing or is no address."""
    found = {
        name: {port: _filled(name, text) for port, text in role.external.items()}
        for name, role in stack.roles.items()
        if role.external
    }
    if stack.payload.role not in found:
        raise StackError(
            f"stack.yaml does not say where {stack.payload.role!r} is reached.",
            hint='Give the role `external: {http: "host:port"}`.',
        )
    return found


def _filled(role: str, text: str) -> str:
    absent = [name for name in _ENV.findall(text) if name not in os.environ]
    if absent:
        raise StackError(f"Role {role!r} needs the environment variable {', '.join(absent)}.", hint="Set it.")
    address = _ENV.sub(lambda match: os.environ[match.group(1)], text)
    if not re.fullmatch(r"[^\s:/]+:\d{1,5}", address):
        raise StackError(f"Role {role!r} is said to be at {address!r}; expected host:port.", hint="Correct it.")
    return address


def present(stack: Stack, addresses: Addresses) -> Stack:
    """Return the stack with those roles that can be reached."""
    roles = {name: role for name, role in stack.roles.items() if name in addresses}
    return stack.model_copy(update={"roles": roles}).at(stack.folder)


class ExternalStack(Attended):
    """Implements `tocsin.harness.declarations.live_stack.LiveStack` as far as hooks need it; everything else is refused with a sentence."""

    engine = "external"
    handles: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        stack: Stack,
        addresses: Addresses,
        work: Path,
        run_id: str,
        nursery: Nursery,
        record: Path,
        now: Callable[[], float],
    ) -> None:
        self.stack, self.work, self.run_id, self.speed = stack, work, run_id, 1.0
        super().__init__(Record(record), now)
        self._addresses, self._nursery = addresses, nursery
        self._spawned: list[Child] = []

    def look(self, role: str) -> None:
        """See that a role answers: its health path, or a connection; StackError if it does not."""
        address, path = self.address(role), self.stack.roles[role].health.http
        try:
            status = request(address, path, within_s=_HEALTH_S)[0] if path and "{" not in path else _connected(address)
        except OSError as error:
            raise StackError(f"{role} at {address} does not answer: {error}.", hint="Is it up?") from None
        if status != 200:
            raise StackError(f"{role} at {address}{path} answers {status}; expected 200.", hint="Is it well?")

    def write_down(self) -> None:
        """Write what another process needs to heal in our place."""
        content = {
            "engine": self.engine,
            "run_id": self.run_id,
            "stack": str(self.stack.folder.absolute()),
            "declared": self.stack.model_dump(mode="json", by_alias=True),
            "addresses": self._addresses,
        }
        (self.work / NAME).write_text(json.dumps(content, indent=2), encoding="utf-8")

    def leave(self) -> None:
        """End what we started; what was there before stays."""
        end_all(self._spawned)
        kill_carriers(self.run_id, within_s=5.0, reap=self._reap)

    def _reap(self) -> None:
        for child in self._spawned:
            child.process.poll()

    def unhealed(self) -> bool:
        """Tell whether a fault of ours is still in the system."""
        return bool(self._record.unhealed())

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `host:port` of a role, its primary port by default; no proxy stands before it."""
        ports = self._addresses.get(role)
        name = next(iter(ports)) if ports and port is None else port
        if not ports or name not in ports:
            known = ", ".join(self._addresses)
            raise StackError(f"stack.yaml says no `external` address of {role!r} {name or ''}; known roles: {known}.")
        return ports[str(name)]

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child of our own, which ends with the drill; `env` given is added to ours."""
        child = self._nursery.start(argv, name=name, env=popen.pop("env", None), **popen)
        self._spawned.append(child)
        return child.process

    def alive(self, role: str) -> bool:
        """Tell whether the role accepts connections."""
        try:
            return _connected(self.address(role)) == 200
        except OSError:
            return False

    def died(self) -> dict[str, str]:
        """Return nothing: nobody tells us; scrapes and answers do."""
        return {}

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        """Write down what is about to be broken; everything outlives us on a stack that is not ours."""
        super().guard(fault, kind=kind, params=params, outlives=True)

    def proxy(self, edge: str) -> EdgeProxy:
        """Refuse."""
        self._refuse(f"no proxy stands on {edge!r}")

    def __getattr__(self, name: str) -> Any:
        """Refuse whatever else a LiveStack offers: it would need the processes of the stack."""
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse(f"`{name}` needs processes of our own")

    def _refuse(self, why: str) -> NoReturn:
        raise StackError(f"This stack is not ours: {why}.", hint="Play it with --engine local or compose.")


def attach(work: Path, content: Mapping[str, Any], record: Path) -> ExternalStack:
    """Return the stack that `write_down` wrote down, for a guardian to heal."""
    return ExternalStack(
        stack=Stack.model_validate(content["declared"]).at(Path(content["stack"])),
        addresses=content["addresses"],
        work=work,
        run_id=content["run_id"],
        nursery=Nursery(run_id=content["run_id"], logs=work),
        record=record,
        now=time.time,
    )


def _connected(address: str) -> int:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    return 200
