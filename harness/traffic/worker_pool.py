"""The engine's side of a load that several workers play: a master process and the workers on this machine."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from tocsin.harness.core.base_model import Frozen
from tocsin.harness.core.errors import StackError, WaitTimeout
from tocsin.harness.traffic.load_processes import Spawn, TrafficProcess, WorkerReport, end_process
from tocsin.harness.traffic.stdout_events import Event

TOKEN = "TOCSIN_WORKER_TOKEN"
"""The environment variable with the token that master and workers of a run share."""
ANYWHERE = "127.0.0.1:0"
"""Where a master listens unless told otherwise: this machine alone, a free port."""
_LISTENING_S = 60.0
_READY_S = 60.0
_REMOTE_READY_S = 300.0
"""Wall seconds that remote workers have to join."""


class WorkerPoolPlan(Frozen):
    """The file a master is started with: how many local and remote workers, where to listen, what all of them play."""

    local: int = Field(ge=0)
    remote: int = Field(default=0, ge=0)
    bind: str = Field(default=ANYWHERE, pattern=r"^[^:]+:\d+$")
    plan: Mapping[str, object]

    @property
    def workers(self) -> int:
        """How many there are in all."""
        return self.local + self.remote


@dataclass(frozen=True, kw_only=True)
class RemoteWorkers:
    """Workers on other machines that a run waits for: how many, where their master listens, the token they know."""

    workers: int = 0
    bind: str = ANYWHERE
    token: str = field(default="", repr=False)


class WorkerPool(TrafficProcess):
    """The load of a run, played by `local` and `remote` workers; used like one TrafficProcess.

    `note(fact, **more)` is called when a worker is lost (`worker_lost`) or comes back (`worker_back`), and for the
    clock of each remote worker (`worker_clock`). A fresh token is made unless remote workers have to know it.
    """

    _module = "tocsin.harness.traffic.locust.master"

    def __init__(
        self,
        plan: Mapping[str, object],
        work: Path,
        spawn: Spawn,
        *,
        local: int,
        remote: RemoteWorkers | None = None,
        note: Callable[..., object] = lambda fact, **more: None,
    ) -> None:
        self._note = note
        remote = remote or RemoteWorkers()
        self._remote = remote.workers
        self._workers: list[subprocess.Popen[bytes]] = []
        secret = {TOKEN: remote.token or secrets.token_hex(32)}
        pool_plan = {"plan": dict(plan), "local": local, "remote": remote.workers, "bind": remote.bind}

        def spawned(argv: Sequence[str], **popen: object) -> subprocess.Popen[bytes]:
            # temporary files go with the stack's folder, however the workers end
            return spawn(argv, env={**secret, "TMPDIR": str(work)}, **popen)

        super().__init__(pool_plan, work, spawned, name="traffic-master")
        port = self._await("listening", 1, _LISTENING_S)["port"]
        host = remote.bind.rpartition(":")[0].replace("0.0.0.0", "127.0.0.1")
        for number in range(1, local + 1):
            argv = [sys.executable, "-m", "tocsin.harness.traffic.locust.worker", f"{host}:{port}", str(number)]
            self._workers.append(spawned(argv, name=f"traffic-{number}", stdin=subprocess.PIPE))

    def ready(self, within_s: float | None = None) -> None:
        """Wait until every worker can start; StackError if one here ended, WaitTimeout naming how many have joined."""
        patience_s = within_s or (_REMOTE_READY_S if self._remote else _READY_S)
        deadline = time.monotonic() + patience_s
        while not self.events("ready"):
            try:
                self._await("ready", 1, min(0.2, max(deadline - time.monotonic(), 0.01)))
            except WaitTimeout:
                self._raise_if_a_worker_ended()
                if time.monotonic() >= deadline:
                    raise self._incomplete(patience_s) from None
        for worker in self.events("ready")[0]["workers"]:
            if not worker["local"]:
                clock = {name: worker[name] for name in ("worker", "host", "offset_s", "uncertainty_s")}
                self._note("worker_clock", **clock)

    def _raise_if_a_worker_ended(self) -> None:
        for number, process in enumerate(self._workers, start=1):
            if process.poll() is not None and not self.events("error"):
                raise StackError(
                    f"Worker {number} ended (exit code {process.returncode}) before it could start.",
                    hint=f"Read stack-logs/traffic-{number}.log.",
                )

    def _incomplete(self, patience_s: float) -> WaitTimeout:
        joined, expected = len(self.events("joined")), len(self._workers) + self._remote
        refused = ""
        if self.events("stranger"):
            refused = f", {len(self.events('stranger'))} refused for a wrong token"
        return WaitTimeout(
            f"Waited {patience_s:.1f} s for {expected} workers; {joined} have joined{refused}.",
            hint="Start remote workers with `tocsin worker --master HOST:PORT`.",
        )

    def check(self) -> None:
        """StackError if the master or all workers ended before the load was over and nobody had told them to."""
        super().check()
        lost = {event["worker"] for event in self.events("worker_lost")}
        lost -= {event["worker"] for event in self.events("worker_back")}
        if lost and len(lost) == len(self._workers) + self._remote and not self._told_to_stop:
            raise StackError("Every worker of the traffic is lost.", hint="Read stack-logs/traffic-1.log.")

    @property
    def parts(self) -> tuple[WorkerReport, ...]:
        """What each worker recorded, for the journal; the master itself if it never reported that it had ended."""
        done = self.done
        if done is None:
            count = len(self._workers) + self._remote
            return (*super().parts, *(_report({"worker": number}) for number in range(1, count + 1)))
        return tuple(_report(worker) for worker in done["workers"])

    def _on_event(self, event: Event) -> None:
        if event["event"] in ("worker_lost", "worker_back"):
            self._note(event["event"], **{name: value for name, value in event.items() if name != "event"})

    def _end(self, within_s: float) -> None:
        """End the master, then the workers here: those end by themselves once it is gone or their stdin has ended."""
        super()._end(within_s)
        deadline = time.monotonic() + 2.0
        for process in self._workers:
            if process.stdin and not process.stdin.closed:
                process.stdin.close()
        for process in self._workers:
            end_process(process, max(deadline - time.monotonic(), 0.01))


def _report(worker: Event) -> WorkerReport:
    """Return the report of a worker as the master's `done` event describes it."""
    return WorkerReport(
        name=f"traffic-{worker['worker']}",
        worker=worker["worker"],
        recorded=worker.get("recorded"),
        clocks=worker.get("clocks", ()),
        done=worker.get("done") or None,
    )
