"""The contract of a stack folder (`stack.yaml`) and of a stack that is up (`LiveStack`)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field, PrivateAttr

from harness.frozen import Frozen as Frozen
from harness.frozen import Seconds as Seconds
from harness.guardrails import Allowed, Budget
from harness.shape import Payload
from harness.signals import CheckedSignal as CheckedSignal
from harness.signals import DriftSignal as DriftSignal
from harness.signals import LabelledMetric as LabelledMetric
from harness.signals import LatencySignal as LatencySignal
from harness.signals import LogsSignal as LogsSignal
from harness.signals import RequestsSignal as RequestsSignal
from harness.signals import Signals as Signals
from harness.signals import TimeScales as TimeScales
from harness.signals import WatchdogSignal as WatchdogSignal
from harness.starts import ComposeFiles as ComposeFiles
from harness.starts import ComposeStart as ComposeStart
from harness.starts import Health as Health
from harness.starts import LocalStart as LocalStart


class Role(Frozen):
    """A part of the stack. The first of `ports` is its address; `fixed_s` is the start time no speed divides."""

    ports: Mapping[str, int]
    fixed_s: float = 0.0
    memory_mib: int = 50
    local: LocalStart | None = None
    compose: ComposeStart = ComposeStart()
    external: Mapping[str, str] = {}
    """Port name -> `host:port`, or `${env:NAME}`, where the role is reached in a system that runs already."""

    @property
    def health(self) -> Health:
        """How to tell that it is up, whichever engine started it; an empty one where nobody says."""
        return self.compose.health or (self.local.health if self.local else Health())

    @property
    def primary(self) -> str:
        """The name of the port that other roles call."""
        return next(iter(self.ports))


CLIENTS = "clients"
"""The caller of the edge from the traffic to the service; every stack has that edge."""


def ends_of(edge: str) -> tuple[str, str]:
    """Return (caller, role called) of an edge written `caller -> role`."""
    caller, _, called = edge.partition("->")
    return caller.strip(), called.strip()


class Hook(Frozen):
    """A fault switch inside the service: PUT with JSON parameters turns it on, DELETE off, GET tells."""

    role: str
    port: str
    path: str


class Disk(Frozen):
    """A folder of a role that can be a small file system of its own (`mib`), in drills that need it.

    `path` is where it lies (with placeholders, locally); `inside` where the role's container has it.
    """

    role: str
    path: str
    mib: int = Field(gt=0, le=1024)
    inside: str | None = None


class Stack(Frozen):
    """A stack folder, as declared by its stack.yaml; `folder` is where it lies.

    `prometheus` and `alertmanager` are the paths of their configuration, None for a stack without.
    """

    version: int
    name: str
    summary: str = ""
    render: tuple[str, ...] = ()
    paths: Mapping[str, str] = {}
    prometheus: str | None = None
    alertmanager: str | None = None
    roles: Mapping[str, Role]
    edges: tuple[str, ...] = ()
    timers: Mapping[str, Mapping[str, Seconds]] = {}
    scales: TimeScales = TimeScales()
    signals: Signals
    payload: Payload
    compose: ComposeFiles | None = None
    hooks: Mapping[str, Hook] = {}
    disks: Mapping[str, Disk] = {}
    dashboards: tuple[str, ...] = ()
    """Files, as patterns below the folder: Grafana's dashboards (JSON) and where data sources are (YAML)."""
    budget: Budget | None = None
    """For scenarios that have none of their own."""
    allow_faults: tuple[str | Allowed, ...] = ()
    """Kinds of faults, everywhere or on one role, that may be played on a system that is not ours."""
    _folder: Path = PrivateAttr(default=Path())

    @property
    def all_edges(self) -> tuple[str, ...]:
        """Every edge a fault may name, written `caller -> role`: those declared, and the clients' own."""
        return tuple(" -> ".join(ends_of(edge)) for edge in (*self.edges, f"{CLIENTS} -> {self.payload.role}"))

    @property
    def folder(self) -> Path:
        """The stack folder."""
        return self._folder

    def at(self, folder: Path) -> Stack:
        """Return the same stack, knowing where it lies."""
        copy = self.model_copy()
        copy._folder = folder
        return copy


class Prober(Protocol):
    """Sends canary requests on demand, from a process of its own that records each of them."""

    def probe(self, count: int) -> list[int]:
        """Send `count` normal requests one after the other; return their HTTP statuses, 0 for no answer."""

    def answers(self, count: int) -> list[tuple[int, str]]:
        """Send `count` normal requests; return status and body of each answer, the body up to some kilobytes."""


class EdgeProxy(Protocol):
    """The proxy on an edge: `listens` is where its caller connects, `calls` the role's own address."""

    listens: str
    calls: str

    def set(self, **conditions: Any) -> dict[str, Any]:
        """Set conditions (harness.proxy.conditions; none: as if it were not there); return the edge's state."""

    def state(self) -> dict[str, Any]:
        """Return conditions and counters."""


class LiveStack(Protocol):
    """A stack that is up. Faults and the guardian need nothing else."""

    engine: str
    stack: Stack
    work: Path
    run_id: str
    speed: float
    handles: frozenset[str]

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role (its primary port by default), as `caller` reaches it if one is named."""

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError where none stands."""

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; its output goes to stack-logs/<name>.log."""

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and patience, or SIGKILL."""

    def restart(self, role: str, *, wait: bool = True) -> None:
        """Start a role again on the same ports unless it runs, and wait until it is healthy if asked to."""

    def repeat(self, name: str, do: Callable[[], float]) -> None:
        """Call `do` at once and again in the background; it returns the wall seconds to the next call.

        It ends with `cease`, with the stack, and with this process. A second one of the same name changes nothing.
        """

    def cease(self, name: str) -> None:
        """End what repeats under this name, after its present call; nothing where nothing does."""

    def alive(self, role: str) -> bool:
        """Tell whether the role's process runs."""

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's tail, for each role that ended unasked."""

    def expect_end(self, role: str) -> None:
        """Take the end of the role's present process, whenever it comes, as asked for: a fault brings it about."""

    def signal(self, role: str, number: int) -> int:
        """Send a signal to all processes of a role; return how many got it. SIGSTOP and SIGCONT: handle `freeze`."""

    def frozen(self, role: str) -> tuple[int, int]:
        """Return (frozen, all) of a role's processes or containers, as the kernel or the runtime tells."""

    def limit(self, role: str, **limits: float) -> None:
        """Limit what a role may use: `memory_mib`, `open_files`, `writes_per_s`; without any, lift every limit.

        While a limit is in force the role's end is taken as asked for. StackError for a limit that cannot be set here.
        """

    def usage(self, role: str) -> Mapping[str, float]:
        """Return what the kernel says of a role, as far as it is known here.

        `memory_mib`, `memory_limit_mib` (missing while there is none), `oom_kills` (since the stack is up),
        `open_files` (of the process that has most), `open_files_limit` (the lowest of its processes) and `began`
        (epoch seconds at which its first process started; missing while none runs).
        """

    def disconnect(self, role: str) -> None:
        """Take a role off all its networks; StackError where it has none of its own. Handle `disconnect`."""

    def reconnect(self, role: str) -> None:
        """Put a role on the networks again that it was taken off; nothing where it was not."""

    def networks(self, role: str) -> tuple[str, ...]:
        """Return the networks that a role is on, as the runtime tells."""

    def run_in(self, role: str, argv: Sequence[str], *, within_s: float = 5.0) -> tuple[int, str]:
        """Run a short command where the role's files are, as its user; return exit status and output (both streams).

        StackError if it cannot be run or takes longer.
        """

    def disk(self, name: str) -> str:
        """Return the folder of a disk of stack.yaml as its role sees it; StackError if it is none of its own now."""

    def guard(self, fault: str, *, kind: str, params: Mapping[str, object], outlives: bool) -> None:
        """Write down, before it is done, what is about to be broken; safe on disk on return."""

    def healed(self, fault: str) -> None:
        """Write down that a fault was healed."""

    @property
    def prober(self) -> Prober:
        """The canary process of this run."""
