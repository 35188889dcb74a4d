"""Waits until a role is up (an HTTP path answers 200, or a file appears), and uploads what it is to be given then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError, WaitTimeout
from tocsin.harness.core.http import call
from tocsin.harness.declarations.launch_spec import Health
from tocsin.harness.engines.common.placeholders import Places

_CALL_S = 2.0
_EVERY_S = 0.05
_PUT_S = 15.0
_SHOWN = 500


class Abandoned(StackError):
    """Waiting was given up because another role failed."""


def stamp(path: Path | None) -> int | None:
    """Return when a file was last written (ns), None if it is not there; a role's start is seen by a newer one."""
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None


class Awaited(Protocol):
    """A process or container that may end while it is waited for; `log` tells where its output is."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def log(self) -> object: ...  # noqa: D102
    @property
    def alive(self) -> bool: ...  # noqa: D102
    def tail(self) -> str: ...  # noqa: D102
    def ended(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """What to wait for: `http` at `address`, or `file` other than at `before`, else what is `reported`."""

    child: Awaited
    address: str
    http: str | None
    file: Path | None
    before: int | None
    within_s: float
    reported: Callable[[], str] = lambda: "healthy"
    """What the runtime's own health check says: `healthy`, also where it has none, or another state."""

    def state(self) -> tuple[bool, str]:
        """Return whether the role is healthy, and what was seen."""
        if self.http is not None:
            return self._answers(self.http)
        if self.file is None:
            state = self.reported()
            return state == "healthy", state
        now = stamp(self.file)
        if now is None:
            return False, f"no fresh {self.file}"
        return now != self.before, f"an old {self.file}"

    def _answers(self, path: str) -> tuple[bool, str]:
        try:
            status, _ = call("GET", self.address, path, within_s=_CALL_S)
        except OSError as error:
            return False, f"{self.address}: {error.strerror or error}"
        return status == 200, f"status {status}"

    @property
    def awaited(self) -> str:
        """What is awaited, in words."""
        if self.http is not None:
            return f"{self.child.name} to answer 200 at http://{self.address}{self.http}"
        if self.file is not None:
            return f"{self.child.name} to write {self.file}"
        return f"{self.child.name} to be healthy"

    def wait(self, clock: Clock, given_up: threading.Event | None = None) -> float:
        """Wait and return the wall seconds it took. RoleDied, or WaitTimeout with the log's tail."""
        try:
            return clock.wait_until(
                self._seen(given_up), awaited=self.awaited, within_s=self.within_s, every_s=_EVERY_S
            )
        except WaitTimeout as late:
            raise WaitTimeout(f"{late.message} Its last lines in {self.child.log}:\n{self.child.tail()}") from None

    def _seen(self, given_up: threading.Event | None) -> Callable[[], tuple[bool, str]]:
        def seen() -> tuple[bool, str]:
            if given_up is not None and given_up.is_set():
                raise Abandoned(f"Gave up waiting for {self.child.name}.")
            if not self.child.alive:
                raise RoleDied(f"Waited for {self.awaited}, but {self.child.ended()}")
            done, state = self.state()
            if done and not self.child.alive:  # somebody else answers at its address
                raise RoleDied(f"Waited for {self.awaited}, but {self.child.ended()}")
            return done, state

        return seen


def health_file(places: Places, role: str, health: Health) -> Path | None:
    """Return the file that shows that a role is up, if it is known by one."""
    return Path(places.fill(health.file, role)) if health.file else None


def wait_for_role(
    child: Awaited,
    places: Places,
    health: Health,
    *,
    put: Mapping[str, str],
    before: int | None,
    clock: Clock,
    given_up: threading.Event | None,
    reported: Callable[[], str] = lambda: "healthy",
) -> None:
    """Wait until the role of `child` is healthy, then PUT it its files. `before`: when its health file was written."""
    role, address = child.name, places.address(child.name)
    HealthCheck(
        child=child,
        address=address,
        http=places.fill(health.http, role) if health.http else None,
        file=health_file(places, role, health),
        before=before,
        within_s=health.within_s,
        reported=reported,
    ).wait(clock, given_up)
    for path, source in put.items():
        _upload(role, address, places.fill(path, role), Path(places.fill(source, role)))


def _upload(name: str, address: str, path: str, source: Path) -> None:
    """PUT a file to the role of that name; StackError if it cannot be sent or is not taken."""
    try:
        status, answer = call("PUT", address, path, body=source.read_bytes(), within_s=_PUT_S)
    except OSError as error:
        raise StackError(f"Cannot PUT {source} to {name} at {path}: {error}.") from None
    if not 200 <= status < 300:
        message = f"{name} answered {status} to PUT {path} of {source}: {answer[:_SHOWN]}"
        raise StackError(message, hint="Correct that file.")
