"""What an engine implements: a driver for each role, and a backend for the rest of the stack."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, Protocol

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.stack_interface import EdgeProxy
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.stack_state import StackState


class RoleDriver(ABC):
    """One role. What a driver does not override is refused with a StackError; a network is one of the host's."""

    engine: ClassVar[str]
    name: str

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the role runs; a frozen one does."""

    def refuse(self, action: str) -> NoReturn:
        """Raise the StackError for what this engine cannot do."""
        raise StackError(f"The {self.engine} engine cannot {action}.", hint="Play with another --engine.")

    def host_pid(self) -> int | None:
        """Return the pid by which another process takes the role over; None if it is found in another way."""
        return None

    def start(self) -> None:
        """Start the role, which does not run; does not wait for it."""
        self.refuse(f"start {self.name!r}")

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until the role is healthy and return the wall seconds since its start; RoleDied or WaitTimeout."""
        self.refuse(f"wait for {self.name!r}")

    def stop(self, *, kill: bool) -> None:
        """End the role: SIGTERM and some patience, or SIGKILL."""
        self.refuse(f"end {self.name!r}")

    def expect_end(self) -> None:  # noqa: B027 - where nothing ends unexpectedly
        """Mark the end of the role's present process as expected."""

    def died(self) -> str:
        """Return how the role ended unexpectedly, with its log's last lines; empty while it has not."""
        return ""

    def signal(self, number: int) -> int:
        """Send a signal; return how many processes or containers got it."""
        self.refuse(f"send a signal to {self.name!r}")

    def frozen(self) -> tuple[int, int]:
        """Return (frozen, all) of the role's processes or containers."""
        self.refuse(f"tell whether {self.name!r} is frozen")

    def limit(self, limits: Mapping[str, float]) -> None:
        """Set limits; without any, lift all. StackError for a limit that cannot be set here."""
        self.refuse(f"limit {self.name!r}")

    def usage(self) -> Mapping[str, float]:
        """Return what the role uses; see LiveStack.usage."""
        self.refuse(f"measure {self.name!r}")

    def run_in(self, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
        """Run a short command where the role's files are; return exit status and output."""
        self.refuse(f"run {argv[0]} beside {self.name!r}")

    def disconnect(self) -> None:
        """Take the role off all its networks."""
        self.refuse(f"take {self.name!r} off a network: it has none of its own")

    def reconnect(self) -> None:  # noqa: B027 - nothing was disconnected
        """Put the role back on the networks that it was taken off."""

    def networks(self) -> tuple[str, ...]:
        """Return the networks that the role is on."""
        return ("host",)


class Helpers(Protocol):
    """The parts of a stack that are no roles: the proxies on its edges, and services of a compose file."""

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge; StackError if it has none."""

    def died(self) -> dict[str, str]:
        """Return helper -> how it ended, for each that ended unexpectedly."""

    def remove(self) -> None:
        """Remove what is left of the stack after the child processes of the run; StackError names what remains."""


@dataclass(kw_only=True)
class Backend:
    """A whole stack as its engine knows it, with a driver for each role that runs there."""

    engine: str
    places: Places
    capabilities: frozenset[str]
    roles: Mapping[str, RoleDriver]
    helpers: Helpers
    disks: Mapping[str, str] = field(default_factory=dict)
    """Disk of stack.yaml -> its folder as the role sees it, for the disks of this run."""
    more_state: StackState = field(default_factory=lambda: StackState())
    """What stack.json holds besides what every engine writes."""
    faults_outlive: bool = False
    """Whether every fault survives the end of the run, so that the guardian heals it should we die."""
