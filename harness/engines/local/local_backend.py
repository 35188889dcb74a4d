"""A whole stack as processes of this machine: its roles, the proxies, and what was made of the host for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.child_processes import Child
from tocsin.harness.engines.common.edge_proxies import ProxyProcess, StandingProxy, standing_proxy
from tocsin.harness.engines.common.host_capabilities import HostNeeds, HostResources, capabilities
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import Backend
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.engines.common.stack_state import StackState, described, places_in
from tocsin.harness.engines.local.role_process import RoleProcess
from tocsin.harness.engines.render.stack_files import keep_copy, render


class LocalBackend(Backend):
    """The processes of a stack. `start` is the engine's."""

    engine: ClassVar[str] = "local"
    roles: Mapping[str, RoleProcess]

    def __init__(self, places: Places, run: RunFolders) -> None:
        self.stack, self.speed, self.capabilities = places.stack, places.speed, capabilities(places.stack)
        self._places, self._run = places, run
        self.roles = {name: self._role(name) for name in places.ports}
        self._proxies = ProxyProcess(places, run)
        self._resources = HostResources()

    def _role(self, name: str) -> RoleProcess:
        local = self.stack.roles[name].local
        if local is None:
            raise StackError(f"Role {name!r} does not say how to start it here.", hint="Give it `local:`.")
        return RoleProcess(name, local, self._places, self._run)

    @classmethod
    def attached(cls, content: StackState, run: RunFolders) -> LocalBackend:
        """Return the backend of a stack that another process brought up; its roles are taken over as they are."""
        backend = cls(places_in(content, run.work), run)
        backend._use(HostResources.read(content))
        for role, pid in content["pids"].items():
            backend.roles[role].adopt(int(pid), content["began"].get(role, ""))
        return backend

    def start(self, needs: HostNeeds) -> None:
        """Render the configuration, make what the plan needs of the host, and start all roles."""
        render(self._places)
        keep_copy(self._places.config, self._run.folder / "config")
        self._use(HostResources.make(needs, self._places))
        self._proxies.start()
        for role in self.roles.values():
            role.prepare()
        for name, folder in self._resources.mounts.items():
            self.roles[self.stack.disks[name].role].owner.own(folder)
        for role in self.roles.values():
            role.start()

    def _use(self, resources: HostResources) -> None:
        self._resources = resources
        for name, group in resources.groups.items():
            self.roles[name].group = group
        for name, writes in resources.writes.items():
            self.roles[name].writes = writes

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `127.0.0.1:port` of a role."""
        return self._places.address(role, port, caller=caller)

    def state(self) -> StackState:
        """Return the places of the run, the processes of its roles, and what was made for it."""
        pids = {name: pid for name, role in self.roles.items() if (pid := role.pid) is not None}
        described_run = described(self.engine, self._places, folder=self._run.folder, pids=pids)
        return {**described_run, **self._resources.state()}

    def proxy(self, edge: str) -> StandingProxy:
        """Return the proxy on an edge."""
        return standing_proxy(self._places, edge)

    def disks(self) -> dict[str, str]:
        """Return disk -> the folder that it is mounted on."""
        return {name: str(folder) for name, folder in self._resources.mounts.items()}

    def died(self) -> dict[str, str]:
        """Return role, or `proxy`, -> how it ended, for each that ended unexpectedly."""
        return {**super().died(), **self._proxies.died()}

    def children(self) -> list[Child]:
        """Return the processes of the roles and of the proxies."""
        children = [role.child for role in self.roles.values()]
        return [child for child in (*children, self._proxies.child) if child]
