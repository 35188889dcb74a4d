"""The container of a role: its state as the Docker engine reports it, and what can be done to it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import docker
import requests
from docker.errors import APIError, DockerException

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.child_processes import TAIL_LINES
from tocsin.harness.engines.common.health import HealthCheck
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import RoleDriver
from tocsin.harness.engines.compose.removal import LABEL, SERVICE_LABEL

_MIB = 1 << 20
_STOP_S = 5
_EVERY_S = 0.05
_FREEZE_S = 5.0
_UNABLE_TO_FREEZE = "unable to freeze"
"""What runc says when the processes of a version 1 control group did not come to rest."""
EngineObject = dict[str, Any]
"""An object that the Docker engine answers with."""


@contextmanager
def docker_errors(action: str) -> Iterator[None]:
    """Turn an error of the Docker engine into a StackError that says which action failed."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        reason = getattr(error, "explanation", None) or error
        raise StackError(f"The Docker engine did not {action}: {reason}.") from None


def list_containers(api: docker.APIClient, run_id: str) -> dict[str, EngineObject]:
    """Return service -> what the Docker engine lists of its container, for all of a run, ended ones included."""
    with docker_errors("list the containers"):
        rows = api.containers(all=True, filters={"label": f"{LABEL}={run_id}"})
    return {row["Labels"].get(SERVICE_LABEL, row["Id"]): row for row in rows}


@dataclass(kw_only=True)
class Container(RoleDriver):
    """The container of a role or a helper; its ports and its name stay the same over a restart."""

    engine: ClassVar[str] = "compose"
    name: str
    id: str
    api: docker.APIClient = field(repr=False)
    places: Places = field(repr=False)
    clock: Clock = field(repr=False)
    _started_at: float = 0.0

    def __post_init__(self) -> None:
        self._started_at = self.clock.now()

    @property
    def log(self) -> str:
        """The file in the run directory that gets its output."""
        return f"stack-logs/{self.name}.log"

    def inspect(self) -> EngineObject:
        """Return all that the Docker engine knows of it; StackError when there is no such container."""
        with docker_errors(f"inspect {self.name}"):
            return dict(self.api.inspect_container(self.id))

    @property
    def state(self) -> EngineObject:
        """Its present state as the Docker engine reports it; empty when there is no such container."""
        try:
            return dict(self.inspect()["State"])
        except StackError:
            return {}

    @property
    def alive(self) -> bool:
        """Whether it runs; a frozen one does."""
        return bool(self.state.get("Running"))

    @property
    def paused(self) -> bool:
        """Whether the Docker engine has frozen it."""
        return bool(self.state.get("Paused"))

    def frozen(self) -> tuple[int, int]:
        """Return (1, 1) if it is frozen, (0, 1) if it runs, else (0, 0)."""
        return int(self.paused), int(self.alive)

    def tail(self) -> str:
        """Return the last lines of its output, indented, or a note that there are none."""
        try:
            with docker_errors(f"read the log of {self.name}"):
                text = self.api.logs(self.id, tail=TAIL_LINES).decode("utf-8", errors="replace")
        except StackError:
            text = ""
        return "\n".join(f"  {line}" for line in text.splitlines()) or "  (nothing)"

    def ended(self) -> str:
        """Return a sentence on how it ended, with its last lines."""
        state = self.state
        how = f"ended with status {state.get('ExitCode', 'unknown')}"
        if state.get("Running"):
            how = "still runs"
        if state.get("OOMKilled"):
            how += ", killed for its memory"
        if state.get("Error"):
            how += f" ({state['Error']})"
        return f"{self.name} {how}. Its last lines in {self.log}:\n{self.tail()}"

    def stop(self, *, kill: bool) -> None:
        """End it: SIGTERM and some patience, or SIGKILL. A frozen one is thawed first."""
        self.thaw()
        with docker_errors(f"stop {self.name}"):
            if not self.alive:
                return
            if kill:
                with suppress(APIError):  # it has just ended
                    self.api.kill(self.id)
                self.api.wait(self.id, timeout=_STOP_S)
            else:
                self.api.stop(self.id, timeout=_STOP_S)

    def start(self) -> None:
        """Start it again; does not wait for it."""
        self._health.about_to_start()
        self._started_at = self.clock.now()
        with docker_errors(f"start {self.name}"):
            self.api.start(self.id)

    def freeze(self) -> None:
        """Freeze all its processes; tries again for a while: the kernel gives up on processes that just start."""
        deadline = time.monotonic() + _FREEZE_S
        while not self.paused:
            try:
                with docker_errors(f"freeze {self.name}"):
                    self.api.pause(self.id)
            except StackError as error:
                if _UNABLE_TO_FREEZE not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_EVERY_S)

    def thaw(self) -> None:
        """Let all its processes continue."""
        if self.paused:
            with docker_errors(f"thaw {self.name}"):
                self.api.unpause(self.id)

    def signal(self, number: int) -> int:
        """Send a signal and return 1, or 0 if it does not run: SIGSTOP freezes and SIGCONT thaws all its processes."""
        if not self.alive:
            return 0
        if number == signal.SIGSTOP:
            self.freeze()
        elif number == signal.SIGCONT:
            self.thaw()
        else:
            with docker_errors(f"send signal {number} to {self.name}"):
                self.api.kill(self.id, number)
        return 1

    @property
    def pid(self) -> int:
        """The pid of its first process, as the Docker engine numbers them; 0 when it does not run."""
        return int(self.state.get("Pid") or 0)

    def measure(self) -> dict[str, float]:
        """Return its memory by the Docker engine's statistics, whether it was OOM-killed, and when it started.

        `cached_mib` is the part of `memory_mib` that can be given back at once.
        """
        with docker_errors(f"measure {self.name}"):
            memory = self.api.stats(self.id, stream=False, one_shot=True).get("memory_stats") or {}
        stats = memory.get("stats", {})
        state = self.state
        usage = {"oom_kills": float(bool(state.get("OOMKilled")))}
        if state.get("Running"):
            usage["began"] = datetime.fromisoformat(str(state["StartedAt"])).timestamp()
        if "usage" in memory:
            usage["memory_mib"] = memory["usage"] / _MIB
            usage["cached_mib"] = stats.get("total_inactive_file", stats.get("inactive_file", 0)) / _MIB
        if "limit" in memory:
            usage["memory_limit_mib"] = memory["limit"] / _MIB
        return usage

    def run_in(self, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
        """Run a command in it as its user and return exit status and output.

        StackError if it cannot be run or takes longer.
        """
        results: list[tuple[int, str]] = []

        def call() -> None:
            with suppress(StackError), docker_errors(f"run {argv[0]} in {self.name}"):
                command = self.api.exec_create(self.id, list(argv))["Id"]
                output = self.api.exec_start(command).decode("utf-8", errors="replace")
                results.append((int(self.api.exec_inspect(command)["ExitCode"] or 0), output))

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(within_s)
        if results:
            return results[0]
        failure = f"took longer than {within_s:g} s" if thread.is_alive() else "cannot be run"
        raise StackError(f"{argv[0]} in {self.name} {failure}.")

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until it is healthy, upload its files, and return the wall seconds since its start."""
        self._health.wait(self, self.clock, given_up)
        self._health.upload(self.places.stack.roles[self.name].compose.put)
        return self.clock.now() - self._started_at

    @cached_property
    def _health(self) -> HealthCheck:
        health = self.places.stack.roles[self.name].health
        return HealthCheck(role=self.name, places=self.places, health=health, reported=self._reported_health)

    def _reported_health(self) -> str:
        """Return what the health check of the compose file says; without one the container only has to run."""
        return str((self.state.get("Health") or {}).get("Status", "healthy"))
