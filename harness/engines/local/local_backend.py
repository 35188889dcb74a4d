"""A whole stack as processes of this machine: its roles, the proxies, and what was made of the host for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.edge_proxies import ProxyProcess
from tocsin.harness.engines.common.host_capabilities import HostNeeds, HostResources, capabilities
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.common.stack_state import StackState, places_in
from tocsin.harness.engines.local.role_process import RoleProcess
from tocsin.harness.engines.render.stack_files import keep_copy, render


@dataclass(kw_only=True)
class LocalBackend(Backend):
    """The processes of a stack. `start` is the engine's."""

    roles: Mapping[str, RoleProcess]
    helpers: ProxyProcess

    @classmethod
    def of(cls, places: Places, run: RunFolders) -> LocalBackend:
        """Return the backend of a run; nothing is started."""
        return cls(
            engine="local",
            places=places,
            capabilities=capabilities(places.stack),
            roles={name: _role(name, places, run) for name in places.ports},
            helpers=ProxyProcess(places, run),
        )

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> LocalBackend:
        """Return the backend of a stack that another process brought up; its roles are taken over as they are."""
        backend = cls.of(places_in(content, run.work), run)
        backend._use(HostResources.read(content))
        for role, pid in content["pids"].items():
            backend.roles[role].adopt(pid, content["began"].get(role, ""))
        return backend

    def start(self, needs: HostNeeds, config_copy: Path) -> None:
        """Render the configuration, make what the plan needs of the host, and start all roles."""
        render(self.places)
        keep_copy(self.places.config, config_copy)
        resources = HostResources.make(needs, self.places)
        self._use(resources)
        self.helpers.start()
        for role in self.roles.values():
            role.prepare()
        for name, folder in resources.mounts.items():
            self.roles[self.places.stack.disks[name].role].owner.own(folder)
        for role in self.roles.values():
            role.start()

    def _use(self, resources: HostResources) -> None:
        self.disks = {name: str(folder) for name, folder in resources.mounts.items()}
        self.more_state = resources.state()
        for name, group in resources.groups.items():
            self.roles[name].group = group
        for name, writes in resources.writes.items():
            self.roles[name].writes = writes


def _role(name: str, places: Places, run: RunFolders) -> RoleProcess:
    local = places.stack.roles[name].local
    if local is None:
        raise StackError(f"Role {name!r} does not say how to start it here.", hint="Give it `local:`.")
    return RoleProcess(name, local, places, run)
