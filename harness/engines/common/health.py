"""Waits until a role is up (an HTTP path answers 200, or a file appears), and uploads the files that it needs then."""

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


class Awaited(Protocol):
    """A process or container that may end while it is waited for; `log` tells where its output is."""

    @property
    def log(self) -> object: ...  # noqa: D102
    @property
    def alive(self) -> bool: ...  # noqa: D102
    def tail(self) -> str: ...  # noqa: D102
    def ended(self) -> str: ...  # noqa: D102


@dataclass(kw_only=True)
class HealthCheck:
    """How a role is known to be up: `health` names a path or a file of it, else what is `reported` counts."""

    role: str
    places: Places
    health: Health
    reported: Callable[[], str] = lambda: "healthy"
    """What the runtime's own health check says: `healthy`, also where it has none, or another state."""
    _written_before: int | None = None

    @property
    def _file(self) -> Path | None:
        return Path(self.places.fill(self.health.file, self.role)) if self.health.file else None

    @property
    def _path(self) -> str | None:
        return self.places.fill(self.health.http, self.role) if self.health.http else None

    def about_to_start(self) -> None:
        """Remember when the file was last written: the role is up once it is written again."""
        self._written_before = _written_at(self._file)

    def state(self) -> tuple[bool, str]:
        """Return whether the role is healthy, and what was seen."""
        path, file = self._path, self._file
        if path is not None:
            return self._answers(path)
        if file is None:
            state = self.reported()
            return state == "healthy", state
        written_at = _written_at(file)
        if written_at is None:
            return False, f"no fresh {file}"
        return written_at != self._written_before, f"an old {file}"

    def _answers(self, path: str) -> tuple[bool, str]:
        address = self.places.address(self.role)
        try:
            status, _ = call("GET", address, path, within_s=_CALL_S)
        except OSError as error:
            return False, f"{address}: {error.strerror or error}"
        return status == 200, f"status {status}"

    @property
    def awaited(self) -> str:
        """What is awaited, in words."""
        path, file = self._path, self._file
        if path is not None:
            return f"{self.role} to answer 200 at http://{self.places.address(self.role)}{path}"
        if file is not None:
            return f"{self.role} to write {file}"
        return f"{self.role} to be healthy"

    def wait(self, child: Awaited, clock: Clock, given_up: threading.Event | None = None) -> float:
        """Wait until the role whose process is `child` is healthy; return the wall seconds. RoleDied or WaitTimeout."""
        awaited, within_s = self.awaited, self.health.within_s

        def check_alive() -> None:
            if not child.alive:
                raise RoleDied(f"Waited for {awaited}, but {child.ended()}")

        def look() -> tuple[bool, str]:
            if given_up is not None and given_up.is_set():
                raise Abandoned(f"Gave up waiting for {self.role}.")
            check_alive()
            done, state = self.state()
            if done:
                check_alive()  # else somebody else answers at its address
            return done, state

        try:
            return clock.wait_until(look, awaited=awaited, within_s=within_s, every_s=_EVERY_S)
        except WaitTimeout as late:
            raise WaitTimeout(f"{late.message} Its last lines in {child.log}:\n{child.tail()}") from None

    def upload(self, files: Mapping[str, str]) -> None:
        """PUT each file at its path to the role; StackError if one cannot be sent or is not taken."""
        for path, file in files.items():
            address, source = self.places.address(self.role), Path(self.places.fill(file, self.role))
            try:
                status, answer = call("PUT", address, path, body=source.read_bytes(), within_s=_PUT_S)
            except OSError as error:
                raise StackError(f"Cannot PUT {source} to {self.role} at {path}: {error}.") from None
            if not 200 <= status < 300:
                message = f"{self.role} answered {status} to PUT {path} of {source}: {answer[:_SHOWN]}"
                raise StackError(message, hint="Correct that file.")


def _written_at(path: Path | None) -> int | None:
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None
