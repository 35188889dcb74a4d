"""The contract of a stack folder (`stack.yaml`) and of a stack that is up (`LiveStack`)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from harness.clock import parse_duration


def _seconds(value: object) -> float:
    return parse_duration(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""Production seconds, written as a duration (`5m`)."""


class Frozen(BaseModel):
    """Base of every declared value: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class CheckedSignal(Frozen):
    """A gauge that holds the epoch seconds of the last drift check, and how often one is due."""

    metric: str
    every: Seconds


class DriftSignal(Frozen):
    """The drift gauges: effect size and 0/1 decision per feature, and the time of the last check."""

    score: LabelledMetric
    detected: LabelledMetric
    checked: CheckedSignal


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


class Signals(Frozen):
    """The names of everything Tocsin reads. A signal left out is absent; its checks are unknown."""

    jobs: Mapping[str, str]
    requests: RequestsSignal | None = None
    drift: DriftSignal | None = None
    logs: LogsSignal | None = None
    watchdog: WatchdogSignal | None = None


class Payload(Frozen):
    """What a request looks like. `$row` in `body` stands for a JSON array of the row's values."""

    role: str
    sample: str
    features: tuple[str, ...]
    path: str
    body: str
    integers: bool = False


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
    signals: Signals
    payload: Payload
    hooks: Mapping[str, Hook] = {}
    _folder: Path = PrivateAttr(default=Path())

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


class LiveStack(Protocol):
    """A stack that is up. Faults and the guardian need nothing else."""

    stack: Stack
    work: Path
    run_id: str
    speed: float

    def address(self, role: str, port: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role (its primary port by default)."""

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
