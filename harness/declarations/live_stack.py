"""What a running stack offers to faults, recorders and stages."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tocsin.harness.core.base_model import Frozen as Frozen
from tocsin.harness.core.base_model import Seconds as Seconds
from tocsin.harness.declarations.launch_spec import ComposeFiles as ComposeFiles
from tocsin.harness.declarations.launch_spec import ComposeStart as ComposeStart
from tocsin.harness.declarations.launch_spec import Health as Health
from tocsin.harness.declarations.launch_spec import LocalStart as LocalStart
from tocsin.harness.declarations.signal_names import CheckedSignal as CheckedSignal
from tocsin.harness.declarations.signal_names import DriftSignal as DriftSignal
from tocsin.harness.declarations.signal_names import LabelledMetric as LabelledMetric
from tocsin.harness.declarations.signal_names import LatencySignal as LatencySignal
from tocsin.harness.declarations.signal_names import LogsSignal as LogsSignal
from tocsin.harness.declarations.signal_names import RequestsSignal as RequestsSignal
from tocsin.harness.declarations.signal_names import Signals as Signals
from tocsin.harness.declarations.signal_names import TimeScales as TimeScales
from tocsin.harness.declarations.signal_names import WatchdogSignal as WatchdogSignal
from tocsin.harness.declarations.stack import Stack


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
        """Set conditions (tocsin.harness.sidecars.proxy.conditions; none: as if it were not there); return the edge's state."""

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
