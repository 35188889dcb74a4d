"""The contract of a stack folder (`stack.yaml`) and of a stack that is up (`LiveStack`)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field, PrivateAttr

from harness.frozen import Frozen as Frozen
from harness.frozen import Seconds as Seconds
from harness.shape import Payload


class Health(Frozen):
    """How to tell that a role is up: an HTTP path that answers 200, or a file that exists; wall seconds."""

    http: str | None = None
    file: str | None = None
    within_s: float = 30.0


class LocalStart(Frozen):
    """How the local engine starts a role. Strings may hold the placeholders listed in stack.yaml."""

    argv: tuple[str, ...]
    program: str | None = None
    modules_flag: str | None = None
    cwd: str | None = None
    env: Mapping[str, str] = {}
    folders: tuple[str, ...] = ()
    copy_files: Mapping[str, str] = Field(default={}, alias="copy")
    put: Mapping[str, str] = {}
    health: Health = Health()
    stop_s: float = 3.0


class Role(Frozen):
    """A part of the stack. The first of `ports` is its address; `fixed_s` is the start time no speed divides."""

    ports: Mapping[str, int]
    fixed_s: float = 0.0
    memory_mib: int = 50
    local: LocalStart | None = None

    @property
    def primary(self) -> str:
        """The name of the port that other roles call."""
        return next(iter(self.ports))


class LabelledMetric(Frozen):
    """A metric and the label that splits it."""

    metric: str
    label: str


class RequestsSignal(LabelledMetric):
    """The request counter and its three label values: answered, failed (5xx) and refused (4xx)."""

    answered: str
    failed: str
    refused: str
    failed_share: float = Field(default=0.0, ge=0, lt=1)
    """The share of requests that a healthy service fails by chance: what noise is reckoned from."""


class LatencySignal(Frozen):
    """The histogram, without `_bucket`, of how long the service took in seconds; one value per counted request."""

    metric: str


class CheckedSignal(Frozen):
    """A gauge that holds the epoch seconds of the last drift check, and how often one is due."""

    metric: str
    every: Seconds


class DriftSignal(Frozen):
    """The drift gauges: effect size and 0/1 decision per feature, and the time of the last check."""

    score: LabelledMetric
    detected: LabelledMetric
    checked: CheckedSignal
    window: Seconds | None = None
    """How far back a check looks."""
    rows: int | None = Field(default=None, gt=0)
    """The fewest requests in a window that a check judges."""


class LogsSignal(Frozen):
    """Where log lines come out: indices, the fields that hold id, time and status, and the files at the source."""

    role: str
    index: str
    unparsed: str
    id: str
    time: str
    status: str
    files: str


class WatchdogSignal(Frozen):
    """The always-firing alert, the receiver it reaches and how often."""

    alert: str
    receiver: str
    every: Seconds


class TimeScales(Frozen):
    """Metrics whose names do not tell what division of time does to them.

    `ages` are gauges in seconds of the drill's own time (a lag), `moments` gauges that hold a time, and `events`
    counters of what the drill does rather than of its traffic (restarts).
    """

    ages: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


class Signals(Frozen):
    """The names of everything Tocsin reads. A signal left out is absent; its checks are unknown."""

    jobs: Mapping[str, str]
    requests: RequestsSignal | None = None
    latency: LatencySignal | None = None
    drift: DriftSignal | None = None
    logs: LogsSignal | None = None
    accuracy: LabelledMetric | None = None
    watchdog: WatchdogSignal | None = None


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


class Stack(Frozen):
    """A stack folder, as declared by its stack.yaml; `folder` is where it lies."""

    version: int
    name: str
    summary: str = ""
    render: tuple[str, ...] = ()
    paths: Mapping[str, str] = {}
    prometheus: str
    alertmanager: str
    roles: Mapping[str, Role]
    edges: tuple[str, ...] = ()
    timers: Mapping[str, Mapping[str, Seconds]] = {}
    scales: TimeScales = TimeScales()
    signals: Signals
    payload: Payload
    hooks: Mapping[str, Hook] = {}
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

    stack: Stack
    work: Path
    run_id: str
    speed: float

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role (its primary port by default), as `caller` reaches it if one is named."""

    def proxy(self, edge: str) -> EdgeProxy:
        """Return the proxy on an edge (`caller -> role`); StackError where none stands."""

    def spawn(self, argv: Sequence[str], *, name: str, **popen: Any) -> subprocess.Popen[bytes]:
        """Start a child that carries the run id and ends with the stack; its output goes to stack-logs/<name>.log."""

    def stop(self, role: str, *, kill: bool = False) -> None:
        """End a role on purpose: SIGTERM and patience, or SIGKILL."""

    def restart(self, role: str) -> None:
        """Start a stopped role again on the same ports and wait until it is healthy."""

    def alive(self, role: str) -> bool:
        """Tell whether the role's process runs."""

    def died(self) -> dict[str, str]:
        """Return role -> sentence with the log's tail, for each role that ended unasked."""

    def guard(self, fault: str, params: Mapping[str, object]) -> None:
        """Write down, before it is done, what is about to be broken."""

    @property
    def prober(self) -> Prober:
        """The canary process of this run."""
