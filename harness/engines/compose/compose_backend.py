"""A whole stack in containers: a driver for each role, the proxies, and every service that is no role."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import docker

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.edge_proxies import standing_proxy
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend, RoleDriver
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.common.stack_state import StackState, described, places_in
from tocsin.harness.engines.compose import networks
from tocsin.harness.engines.compose.contained_proxy import ContainedProxy
from tocsin.harness.engines.compose.container import Container, list_containers
from tocsin.harness.engines.compose.container_places import PROXY
from tocsin.harness.engines.compose.removal import take_down
from tocsin.harness.engines.compose.role_limits import ContainerLimits

_DOWN_S = 20.0
_LOOK_S = 0.25
_ENDED = ("exited", "dead")


class ContainerRole(RoleDriver):
    """The container of a role."""

    engine: ClassVar[str] = "compose"

    def __init__(self, container: Container, limits: ContainerLimits) -> None:
        self.name = container.name
        self._container, self._limits = container, limits
        self._stopped = self._limited = False
        self._networks_before = limits.work / f"networks-{self.name}.json"

    @property
    def end_expected(self) -> bool:
        """Whether the end of its present container is expected: a fault asked for it, or limits it."""
        return self._stopped or self._limited

    @property
    def alive(self) -> bool:
        """Whether its container runs; a frozen one does."""
        return self._container.alive

    def start(self) -> None:
        """Start its container; does not wait for it."""
        self._container.start()
        self._stopped = False

    def wait(self, given_up: threading.Event | None = None) -> float:
        """Wait until it is healthy and return the wall seconds since its start."""
        return self._container.wait(given_up)

    def stop(self, *, kill: bool) -> None:
        """End its container on purpose."""
        self.expect_end()
        self._container.stop(kill=kill)

    def expect_end(self) -> None:
        """Mark the end of its present container as expected."""
        self._stopped = True

    def signal(self, number: int) -> int:
        """Send a signal to its container; return how many got it."""
        return self._container.signal(number)

    def frozen(self) -> tuple[int, int]:
        """Return (frozen, all) of its containers, as the Docker engine reports."""
        return int(self._container.frozen), int(self._container.alive)

    def limit(self, limits: Mapping[str, float]) -> None:
        """Set limits, or lift all; StackError for one that cannot be set here."""
        if limits:
            self._limited = True
            self._limits.set(limits)
            return
        self._limits.lift()
        if self.alive:
            self._limited = False

    def usage(self) -> Mapping[str, float]:
        """Return what the Docker engine reports, and the kernel where it can be asked."""
        return self._limits.usage()

    def run_in(self, argv: Sequence[str], *, within_s: float) -> tuple[int, str]:
        """Run a short command in the container as its user; return its exit status and output."""
        return self._container.run(argv, within_s=within_s)

    def disconnect(self) -> None:
        """Take it off every network; which they were is written into the work folder before."""
        networks.disconnect(self._container, self._networks_before)

    def reconnect(self) -> None:
        """Put it back on every network that it was taken off."""
        networks.reconnect(self._container, self._networks_before)

    def networks(self) -> tuple[str, ...]:
        """Return the networks that it is on, as the Docker engine reports."""
        return tuple(networks.networks_of(self._container))


class ComposeBackend(Backend):
    """The containers of a stack. `written` is the content of engine.json; `find_containers` is the engine's."""

    engine: ClassVar[str] = "compose"
    roles: dict[str, ContainerRole]

    def __init__(self, places: Places, run: RunFolders, written: Mapping[str, Any]) -> None:
        self.stack, self.speed, self.places = places.stack, places.speed, places
        self.capabilities = frozenset(written.get("handles", ()))
        self._run, self._written = run, written
        self._api = docker.APIClient(base_url=str(written["docker_host"]), timeout=30)
        self.roles = {}
        self._looked_at, self._dead = 0.0, dict[str, str]()
        self._looking = threading.Lock()

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> ComposeBackend:
        """Return the backend of a stack that another process brought up; StackError if a container is missing."""
        backend = cls(places_in(content, run.work), run, content["written"])
        backend.find_containers()
        return backend

    def find_containers(self, *, some: bool = False) -> None:
        """Find the containers of the run; StackError if a role has none, unless `some` are enough."""
        for name, row in list_containers(self._api, self._run.id).items():
            if name in self.places.ports:
                container = self._container(name, row["Id"])
                self.roles[name] = ContainerRole(container, self._limits(container))
        missing = sorted(set(self.places.ports) - set(self.roles))
        if missing and not some:
            raise StackError(f"No container was made for {', '.join(missing)}.", hint="See stack-logs/compose.log.")

    def _container(self, name: str, identity: str) -> Container:
        return Container(name=name, id=identity, api=self._api, places=self.places, clock=self._run.clock)

    def _limits(self, container: Container) -> ContainerLimits:
        mounts: Mapping[str, str] = self._written.get("disks", {})
        folders = [Path(folder) for name, folder in mounts.items() if self.stack.disks[name].role == container.name]
        return ContainerLimits(container=container, work=self._run.work, folders=tuple(folders))

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` at which a role is published."""
        return self.places.address(role, port, caller=caller)

    def state(self) -> StackState:
        """Return the places of the run, and what engine.json holds."""
        described_run = described(self.engine, self.places, folder=self._run.folder, pids={})
        return {**described_run, "written": dict(self._written)}

    def proxy(self, edge: str) -> ContainedProxy:
        """Return the proxy on an edge."""
        row = list_containers(self._api, self._run.id).get(PROXY, {})
        container = self._container(PROXY, row.get("Id", "gone"))
        return ContainedProxy(**asdict(standing_proxy(self.places, edge)), container=container)

    def disks(self) -> dict[str, str]:
        """Return disk -> its folder inside the role's container, for those that are mounted in this run."""
        return {name: str(self.stack.disks[name].inside) for name in self._written.get("disks", {})}

    def died(self) -> dict[str, str]:
        """Return role or service -> how it ended unexpectedly; looks at most 4 times a second.

        A service that is no role may end with status 0: it had something to do once.
        """
        with self._looking:
            if time.monotonic() - self._looked_at >= _LOOK_S:
                self._dead, self._looked_at = self._find_dead(), time.monotonic()
            dead = self._dead
        return {name: sentence for name, sentence in dead.items() if not self._may_be_down(name)}

    def _find_dead(self) -> dict[str, str]:
        dead = {}
        for name, row in list_containers(self._api, self._run.id).items():
            finished = name not in self.roles and str(row.get("Status", "")).startswith("Exited (0)")
            if row.get("State") not in _ENDED or finished or self._may_be_down(name):
                continue
            container = self._container(name, row["Id"])
            if not container.alive:
                dead[name] = container.ended()
        return dead

    def _may_be_down(self, name: str) -> bool:
        """Tell whether a role that was found ended runs again, or was expected to end."""
        role = self.roles.get(name)
        return role is not None and (role.end_expected or role.alive)

    def remove(self) -> None:
        """Remove every container, network and volume of the run; StackError names what is left."""
        left = take_down(self._written, self._run.id, _DOWN_S)
        self._api.close()
        if left:
            raise StackError(" ".join(left), hint="Run `tocsin sweep`.")
