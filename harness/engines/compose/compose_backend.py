"""A whole stack in containers: a driver for each role, the proxies, and every service that is no role."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.edge_proxies import StandingProxy, standing_proxy
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.common.stack_state import StackState, places_in
from tocsin.harness.engines.compose.container import Container, EngineObject, docker_errors, list_containers
from tocsin.harness.engines.compose.container_places import PROXY
from tocsin.harness.engines.compose.removal import take_down
from tocsin.harness.engines.compose.role_limits import ContainerLimits

_DOWN_S = 20.0
_LOOK_S = 0.25
_ENDED = ("exited", "dead")


class Containers:
    """All containers of a run. `written` is the content of engine.json."""

    def __init__(self, places: Places, run: RunFolders, written: Mapping[str, Any]) -> None:
        self._places, self._run, self._written = places, run, written
        self._api = docker.APIClient(base_url=str(written["docker_host"]), timeout=30)
        self._looked_at, self._ended = 0.0, dict[str, EngineObject]()
        self._looking = threading.Lock()

    def find_roles(self, roles: dict[str, ContainerRole], *, some: bool = False) -> None:
        """Put the container of each role into `roles`; StackError if a role has none, unless `some` are enough."""
        for name, row in list_containers(self._api, self._run.id).items():
            if name in self._places.ports:
                roles[name] = self._role(name, row["Id"])
        missing = sorted(set(self._places.ports) - set(roles))
        if missing and not some:
            raise StackError(f"No container was made for {', '.join(missing)}.", hint="See stack-logs/compose.log.")

    def _role(self, name: str, identity: str) -> ContainerRole:
        mounts: Mapping[str, str] = self._written.get("disks", {})
        disks = self._places.stack.disks
        return ContainerRole(
            name=name,
            id=identity,
            api=self._api,
            places=self._places,
            clock=self._run.clock,
            run_containers=self,
            folders=tuple(Path(folder) for disk, folder in mounts.items() if disks[disk].role == name),
        )

    def _container(self, name: str, identity: str) -> Container:
        return Container(name=name, id=identity, api=self._api, places=self._places, clock=self._run.clock)

    def ended(self) -> dict[str, EngineObject]:
        """Return service -> what Docker lists of its container, for those that have ended; asked 4 times a second."""
        with self._looking:
            if time.monotonic() - self._looked_at >= _LOOK_S:
                rows = list_containers(self._api, self._run.id)
                self._ended = {name: row for name, row in rows.items() if row.get("State") in _ENDED}
                self._looked_at = time.monotonic()
            return self._ended

    def died(self) -> dict[str, str]:
        """Return service -> how it ended, for services that are no roles; status 0 is the end of a one-off task."""
        dead = {}
        for name, row in self.ended().items():
            if name not in self._places.ports and not str(row.get("Status", "")).startswith("Exited (0)"):
                dead[name] = self._container(name, row["Id"]).ended()
        return dead

    def proxy(self, edge: str) -> StandingProxy:
        """Return the proxy on an edge; StackError if it has none."""
        row = list_containers(self._api, self._run.id).get(PROXY, {})
        return standing_proxy(self._places, edge, container=self._container(PROXY, row.get("Id", "gone")))

    def remove(self) -> None:
        """Remove every container, network and volume of the run; StackError names what is left."""
        left = take_down(self._written, self._run.id, _DOWN_S)
        self._api.close()
        if left:
            raise StackError(" ".join(left), hint="Run `tocsin sweep`.")


@dataclass(kw_only=True)
class ContainerRole(Container):
    """The container of a role; `folders` are where its disks are mounted on this machine."""

    run_containers: Containers = field(repr=False)
    folders: tuple[Path, ...] = ()
    _end_expected: bool = False
    _limited: bool = False

    def start(self) -> None:
        """Start its container; does not wait for it."""
        super().start()
        self._end_expected = False

    def stop(self, *, kill: bool) -> None:
        """End its container on purpose."""
        self.expect_end()
        super().stop(kill=kill)

    def expect_end(self) -> None:
        """Mark the end of its present container as expected."""
        self._end_expected = True

    def died(self) -> str:
        """Return how its container ended unexpectedly; empty while it has not."""
        if self._end_expected or self._limited or self.name not in self.run_containers.ended() or self.alive:
            return ""
        return self.ended()

    def limit(self, limits: Mapping[str, float]) -> None:
        """Set limits, or lift all; StackError for one that cannot be set here."""
        if limits:
            self._limited = True
            self._limits.set(limits)
            return
        self._limits.lift()
        if self.alive:
            self._limited = False

    def usage(self) -> dict[str, float]:
        """Return what the Docker engine reports, and the kernel where it can be asked."""
        return self._limits.usage()

    def disconnect(self) -> None:
        """Take it off every network; which they were is written into the work folder before, unless it is there."""
        networks = self._aliases()
        if not self._networks_before.exists():
            self._networks_before.write_text(json.dumps(networks), encoding="utf-8")
        for name in networks:
            with docker_errors(f"take {self.name} off network {name}"):
                self.api.disconnect_container_from_network(self.id, name, force=True)

    def reconnect(self) -> None:
        """Put it back on every network that it was taken off, under the names that it had."""
        if not self._networks_before.exists():
            return
        present = self._aliases()
        for name, aliases in json.loads(self._networks_before.read_text(encoding="utf-8")).items():
            if name not in present:
                with docker_errors(f"put {self.name} on network {name}"):
                    self.api.connect_container_to_network(self.id, name, aliases=aliases)
        self._networks_before.unlink()

    def networks(self) -> tuple[str, ...]:
        """Return the networks that it is on, as the Docker engine reports."""
        return tuple(self._aliases())

    def _aliases(self) -> dict[str, list[str]]:
        """Return network -> the names under which the container is found there."""
        networks = {}
        for name, endpoint in (self.inspect()["NetworkSettings"]["Networks"] or {}).items():
            aliases = (endpoint or {}).get("Aliases") or ()
            networks[name] = [alias for alias in aliases if not self.id.startswith(alias)]
        return networks

    @property
    def _limits(self) -> ContainerLimits:
        return ContainerLimits(container=self, work=self.places.work, folders=self.folders)

    @property
    def _networks_before(self) -> Path:
        return self.places.work / f"networks-{self.name}.json"


@dataclass(kw_only=True)
class ComposeBackend(Backend):
    """A stack in containers; `roles` is filled once they are there."""

    roles: dict[str, ContainerRole]
    helpers: Containers

    @classmethod
    def of(cls, places: Places, run: RunFolders, written: Mapping[str, Any]) -> ComposeBackend:
        """Return the backend of a run; `written` is the content of engine.json."""
        able, helpers = frozenset(written.get("handles", ())), Containers(places, run, written)
        disks = {name: str(places.stack.disks[name].inside) for name in written.get("disks", {})}
        backend = cls(engine="compose", places=places, capabilities=able, roles={}, helpers=helpers, disks=disks)
        backend.more_state = {"written": dict(written)}
        return backend

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> ComposeBackend:
        """Return the backend of a stack that another process brought up; StackError if a container is missing."""
        backend = cls.of(places_in(content, run.work), run, content["written"])
        backend.helpers.find_roles(backend.roles)
        return backend
