"""What a running stack offers to faults, recorders and stages: `LiveStack`, and parts of it for who needs less."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from tocsin.harness.declarations.stack import Stack


class Prober(Protocol):
    """Sends canary requests on demand, from a process of its own that records each of them."""

    def probe(self, count: int) -> list[int]:
        """Send `count` normal requests one after the other; return their HTTP statuses, 0 for no answer."""

    def answers(self, count: int) -> list[tuple[int, str]]:
        """Send `count` normal requests; return status and body of each answer, the body up to some kilobytes."""


class EdgeReply(Protocol):
    """How a request over an edge went, after how many wall seconds, and its size in bytes."""

    @property
    def how(self) -> Literal["answered", "refused", "silent", "cut", "reset"]: ...  # noqa: D102
    @property
    def took_s(self) -> float: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102


class EdgeProxy(Protocol):
    """The proxy on an edge: `listens` is where its caller connects, `calls` the role's own address."""

    listens: str
    calls: str

    def set(self, **conditions: object) -> dict[str, Any]:
        """Set conditions (tocsin.harness.sidecars.proxy.conditions), none to let all pass; return the edge's state."""

    def state(self) -> dict[str, Any]:
        """Return conditions and counters."""

    def ask(self, path: str, within_s: float, padding: str = "") -> EdgeReply:
        """GET a path of the role over the edge, from where its callers are; OSError if nobody can ask from there."""


class StackFacts(Protocol):
    """What is fixed while a stack is up. `capabilities` says what can be done to its roles (`fault.CAPABILITIES`)."""

    engine: str
    stack: Stack
    work: Path
    run_id: str
    speed: float
    capabilities: frozenset[str]


class Addresses(Protocol):
    """Where roles are reached."""

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `host:port` of a role (its primary port by default), as `caller` reaches it if one is named."""

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError if the edge has none."""


class Roles(Protocol):
    """Starts and ends roles, and tells which run."""

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and some patience, or SIGKILL."""

    def restart(self, role: str, *, wait: bool = True) -> None:
        """Start a role again on the same ports unless it runs; wait until it is healthy unless told not to."""

    def alive(self, role: str) -> bool:
        """Tell whether a role runs."""

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's last lines, for each role that ended unexpectedly."""

    def expect_end(self, role: str) -> None:
        """Mark the end of this role's present process as expected: a fault is about to bring it about."""


class Canary(Protocol):
    """The canary process of the run, which witnesses ask."""

    def attach_prober(self, prober: Prober) -> None:
        """Set the canary process."""

    @property
    def prober(self) -> Prober:
        """The canary process; StackError before one was attached."""


class LiveStack(StackFacts, Addresses, Roles, Canary, Protocol):
    """A stack that is up. Faults, the guardian, recorders and stages need nothing else."""

    def signal(self, role: str, number: int) -> int:
        """Send a signal to a role; return how many processes or containers got it. SIGSTOP, SIGCONT: `freeze`."""

    def frozen(self, role: str) -> tuple[int, int]:
        """Return (frozen, all) of a role's processes or containers, as the kernel or the runtime reports."""

    def limit(self, role: str, **limits: float) -> None:
        """Limit what a role may use: `memory_mib`, `open_files`, `writes_per_s`; without any, lift every limit.

        While a limit is in force the role's end is expected. StackError for a limit that cannot be set here.
        """

    def usage(self, role: str) -> Mapping[str, float]:
        """Return what the kernel reports of a role, as far as it is known here.

        `memory_mib`, `memory_limit_mib` (missing while there is none), `oom_kills` (since the stack is up),
        `open_files` (the most that one process has), `open_files_limit` (the lowest of its processes) and `began`
        (epoch seconds at which its first process started; missing while none runs).
        """

    def disconnect(self, role: str) -> None:
        """Take a role off all its networks; StackError where it has none of its own. Capability `disconnect`."""

    def reconnect(self, role: str) -> None:
        """Put a role back on the networks that it was taken off; nothing happens where it was not."""

    def networks(self, role: str) -> tuple[str, ...]:
        """Return the networks that a role is on, as the runtime reports."""

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        """Run a short command where the role's files are, as its user; return exit status and output (both streams).

        StackError if it cannot be run or takes longer.
        """

    def disk(self, name: str) -> str:
        """Return the folder of a disk of stack.yaml as its role sees it; StackError if it is no disk of this run."""

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; its output goes to stack-logs/<name>.log."""

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` now and again in the background; it returns the wall seconds until the next call.

        The loop ends with `cease`, with the stack, and with this process. A second one of the same name is not started.
        """

    def cease(self, name: str) -> None:
        """End the loop of this name after its present call; nothing happens where there is none."""

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        """Write down, before it is done, what is about to be broken; safe on disk on return."""

    def healed(self, fault: str) -> None:
        """Write down that a fault was healed."""
