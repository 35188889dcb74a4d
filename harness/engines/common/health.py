"""Tells whether a role is up, and waits for it: an HTTP path that answers 200, or a file that appears."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError, WaitTimeout

_CALL_S = 2.0
_EVERY_S = 0.05


class Abandoned(StackError):
    """Waiting was given up because another role failed."""


def stamp(path: Path | None) -> int | None:
    """Return when a file was last written (ns), None if it is not there: what `file` health compares with."""
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None


def request(
    address: str, path: str, *, method: str = "GET", body: bytes | None = None, within_s: float = _CALL_S
) -> tuple[int, bytes]:
    """Call `http://address path` on loopback, never through a proxy; return status and body. OSError if that fails."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=within_s)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{type(error).__name__} {error}".strip()) from None
    finally:
        connection.close()


class Awaited(Protocol):
    """A process or container that may end while it is waited for; `log` tells where its output is."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def log(self) -> Any: ...  # noqa: D102
    @property
    def alive(self) -> bool: ...  # noqa: D102
    def tail(self) -> str: ...  # noqa: D102
    def ended(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Await:
    """What to wait for: `http` at `address`, or `file` other than at `before`, or (neither) just being alive."""

    child: Awaited
    address: str
    http: str | None
    file: Path | None
    before: int | None
    within_s: float

    def state(self) -> tuple[bool, str]:
        """Return whether the role is healthy, and what was seen."""
        if self.http is not None:
            try:
                status, _ = request(self.address, self.http)
            except OSError as error:
                return False, f"{self.address}: {error.strerror or error}"
            return status == 200, f"status {status}"
        if self.file is not None:
            now = stamp(self.file)
            return (
                now is not None and now != self.before,
                f"no fresh {self.file}" if now is None else f"an old {self.file}",
            )
        return True, "alive"

    @property
    def what(self) -> str:
        """What is awaited, in words."""
        if self.http is not None:
            return f"{self.child.name} to answer 200 at http://{self.address}{self.http}"
        return f"{self.child.name} to write {self.file}" if self.file else f"{self.child.name} to run"

    def wait(self, clock: Clock, given_up: threading.Event | None = None) -> float:
        """Wait and return the wall seconds it took. RoleDied, or WaitTimeout with the log's tail."""
        try:
            return clock.wait_until(self._seen(given_up), awaited=self.what, within_s=self.within_s, every_s=_EVERY_S)
        except WaitTimeout as late:
            raise WaitTimeout(f"{late.message} Its last lines in {self.child.log}:\n{self.child.tail()}") from None

    def _seen(self, given_up: threading.Event | None) -> Callable[[], tuple[bool, str]]:
        def seen() -> tuple[bool, str]:
            if given_up is not None and given_up.is_set():
                raise Abandoned(f"Gave up waiting for {self.child.name}.")
            if not self.child.alive:
                raise RoleDied(f"Waited for {self.what}, but {self.child.ended()}")
            done, state = self.state()
            if done and not self.child.alive:  # somebody else answers at its address
                raise RoleDied(f"Waited for {self.what}, but {self.child.ended()}")
            return done, state

        return seen
