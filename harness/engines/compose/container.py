"""The container of a role: its state as the engine tells, and what can be done to it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError, WaitTimeout
from tocsin.harness.declarations.launch_spec import ComposeStart
from tocsin.harness.engines.common.child_processes import TAIL_LINES
from tocsin.harness.engines.common.health import Abandoned, Await, request, stamp
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.take_down import LABEL

_MIB = 1 << 20
_PUT_S = 15.0
_STOP_S = 5
_EVERY_S = 0.05
_FREEZE_S = 5.0
_AGAIN = "unable to freeze"
"""What runc says when control groups 1 did not come to rest."""


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn what the engine refuses into a StackError that says what was tried."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        words = error.explanation if isinstance(error, APIError) and error.explanation else error
        raise StackError(f"The Docker engine did not {what}: {words}.") from None


def containers(api: docker.APIClient, run_id: str) -> dict[str, dict[str, Any]]:
    """Return service -> what the engine lists of its container, for all of a run, those that ended too."""
    with telling("list the containers"):
        rows = api.containers(all=True, filters={"label": f"{LABEL}={run_id}"})
    return {row["Labels"].get("com.docker.compose.service", row["Id"]): row for row in rows}


@dataclass(kw_only=True)
class Container:
    """The container of a role, once it was made; the engine keeps its ports and its name over a restart."""

    name: str
    id: str
    api: docker.APIClient = field(repr=False)
    places: Places = field(repr=False)
    clock: Clock = field(repr=False)
    _before: int | None = None
    _started_at: float = 0.0

    def __post_init__(self) -> None:
        self._started_at = self.clock.now()

    @property
    def log(self) -> str:
        """Where its output will be."""
        return f"stack-logs/{self.name}.log"

    @property
    def state(self) -> Mapping[str, Any]:
        """What the engine says of it now; empty when there is no such container."""
        try:
            with telling(f"inspect {self.name}"):
                return dict(self.api.inspect_container(self.id)["State"])
        except StackError:
            return {}

    @property
    def alive(self) -> bool:
        """Whether it runs; a frozen one does."""
        return bool(self.state.get("Running"))

    @property
    def frozen(self) -> bool:
        """Whether the engine has frozen it."""
        return bool(self.state.get("Paused"))

    def tail(self) -> str:
        """Return the last lines that it wrote, indented, or a note that there are none."""
        try:
            with telling(f"read the log of {self.name}"):
                text = self.api.logs(self.id, tail=TAIL_LINES).decode("utf-8", errors="replace")
        except StackError:
            text = ""
        return "\n".join(f"  {line}" for line in text.splitlines()) or "  (nothing)"

    def ended(self) -> str:
        """Return a sentence on how it ended, with its last lines."""
        state = self.state
        how = "still runs" if state.get("Running") else f"ended with status {state.get('ExitCode', 'unknown')}"
        how += ", killed for its memory" if state.get("OOMKilled") else ""
        how += f" ({state['Error']})" if state.get("Error") else ""
        return f"{self.name} {how}. Its last lines in {self.log}:\n{self.tail()}"

    def stop(self, *, kill: bool) -> None:
        """End it: SIGTERM and patience, or SIGKILL; a frozen one is woken up, so that it can."""
        self.thaw()
        with telling(f"stop {self.name}"):
            if not self.alive:
                return
            if kill:
                with suppress(APIError):  # it ended meanwhile
                    self.api.kill(self.id)
                self.api.wait(self.id, timeout=_STOP_S)
            else:
                self.api.stop(self.id, timeout=_STOP_S)

    def start(self) -> None:
        """Start it again; does not wait for it."""
        self._before, self._started_at = stamp(self._health_file()), self.clock.now()
        with telling(f"start {self.name}"):
            self.api.start(self.id)

    def freeze(self) -> None:
        """Freeze all its processes; tried again for a while: processes that just begin make the kernel give up."""
        deadline = time.monotonic() + _FREEZE_S
        while not self.frozen:
            try:
                with telling(f"freeze {self.name}"):
                    self.api.pause(self.id)
            except StackError as refused:
                if _AGAIN not in str(refused) or time.monotonic() > deadline:
                    raise
                time.sleep(_EVERY_S)

    def thaw(self) -> None:
        """Let all its processes go on."""
        if self.frozen:
            with telling(f"let {self.name} go on"):
                self.api.unpause(self.id)

    def signal(self, number: int) -> int:
        """Send a signal: SIGSTOP and SIGCONT to all its processes, others to its first; return how many got it."""
        if not self.alive:
            return 0
        if number == signal.SIGSTOP:
            self.freeze()
        elif number == signal.SIGCONT:
            self.thaw()
        else:
            with telling(f"send signal {number} to {self.name}"):
                self.api.kill(self.id, number)
        return 1

    @property
    def pid(self) -> int:
        """The first process of it, as the engine numbers them; 0 when it does not run."""
        return int(self.state.get("Pid") or 0)

    def usage(self) -> dict[str, float]:
        """Return what the engine's statistics say of its memory, whether it was killed for it, and when it began.

        `memory_mib` is all that counts, of which `cached_mib` can be given back at once.
        """
        with telling(f"tell the use of {self.name}"):
            memory = self.api.stats(self.id, stream=False, one_shot=True).get("memory_stats") or {}
        idle = memory.get("stats", {})
        state = self.state
        found = {"oom_kills": float(bool(state.get("OOMKilled")))}
        if state.get("Running"):
            found["began"] = datetime.fromisoformat(str(state["StartedAt"])).timestamp()
        if "usage" in memory:
            found["memory_mib"] = memory["usage"] / _MIB
            found["cached_mib"] = idle.get("total_inactive_file", idle.get("inactive_file", 0)) / _MIB
        if "limit" in memory:
            found["memory_limit_mib"] = memory["limit"] / _MIB
        return found

    def run(self, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
        """Run a command in it as its user; return exit status and output. StackError if it takes longer."""
        said: list[tuple[int, str]] = []

        def call() -> None:
            with suppress(StackError), telling(f"run {argv[0]} in {self.name}"):
                made = self.api.exec_create(self.id, list(argv))
                output = self.api.exec_start(made["Id"]).decode("utf-8", errors="replace")
                said.append((int(self.api.exec_inspect(made["Id"])["ExitCode"] or 0), output))

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(within_s)
        if not said:
            slow = f"took longer than {within_s:g} s" if thread.is_alive() else "cannot be run"
            raise StackError(f"{argv[0]} in {self.name} {slow}.")
        return said[0]

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until it is healthy, hand in what it is to be told; return the wall seconds since its start."""
        role = self.places.stack.roles[self.name]
        http = self.places.fill(role.health.http, self.name) if role.health.http else None
        if http is None and role.health.file is None:
            self._wait_for_its_own(role.health.within_s, given_up)
        else:
            address, file = self.places.address(self.name), self._health_file()
            Await(
                child=self, address=address, http=http, file=file, before=self._before, within_s=role.health.within_s
            ).wait(self.clock, given_up)
        self._put(role.compose)
        return self.clock.now() - self._started_at

    def _wait_for_its_own(self, within_s: float, given_up: threading.Event | None) -> None:
        """Wait for the health check of the compose file; without one it only has to run."""

        def seen() -> tuple[bool, str]:
            if given_up is not None and given_up.is_set():
                raise Abandoned(f"Gave up waiting for {self.name}.")
            state = self.state
            if not state.get("Running"):
                raise RoleDied(f"Waited for {self.name} to be healthy, but {self.ended()}")
            health = str((state.get("Health") or {}).get("Status", "healthy"))
            return health == "healthy", health

        try:
            self.clock.wait_until(seen, awaited=f"{self.name} to be healthy", within_s=within_s, every_s=_EVERY_S * 4)
        except WaitTimeout as late:
            raise WaitTimeout(f"{late.message} Its last lines in {self.log}:\n{self.tail()}") from None

    def _health_file(self) -> Path | None:
        file = self.places.stack.roles[self.name].health.file
        return Path(self.places.fill(file, self.name)) if file else None

    def _put(self, told: ComposeStart) -> None:
        for path, text in told.put.items():
            source = Path(self.places.fill(text, self.name))
            address = self.places.address(self.name)
            try:
                status, body = request(address, path, method="PUT", body=source.read_bytes(), within_s=_PUT_S)
            except OSError as error:
                raise StackError(f"Cannot PUT {source} to {self.name} at {path}: {error}.") from None
            if not 200 <= status < 300:
                words = body.decode("utf-8", errors="replace")[:500]
                raise StackError(f"{self.name} answered {status} to PUT {path} of {source}: {words}")
