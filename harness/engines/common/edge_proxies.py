"""The proxies of a run: one process that stands on every edge which a fault of the plan needs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.declarations.stack import ends_of
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common.child_processes import Child
from tocsin.harness.engines.common.host_capabilities import planned_needs
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.role_driver import RoleDriver
from tocsin.harness.engines.common.run_folders import RunFolders
from tocsin.harness.sidecars.proxy.edge_control import call_control
from tocsin.harness.sidecars.proxy.probe import EdgeAnswer, ask_once

_UP_S = 10.0
_START_S = 5.0
"""Wall seconds for the start of a command in a container."""


def proxied_edges(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """Return the edges that faults of the plan break, each once: (caller, role called)."""
    return tuple(dict.fromkeys(ends_of(edge) for edge in planned_needs(timeline, "edge:")))


@dataclass(kw_only=True)
class StandingProxy:
    """The proxy on an edge as this machine reaches it. `control` is the address of its control port.

    With `container` requests over the edge are made inside that: a published port accepts what the proxy refuses.
    """

    edge: str
    listens: str
    calls: str
    control: str
    container: RoleDriver | None = None

    def set(self, **conditions: object) -> dict[str, Any]:
        """Set conditions, none to let all pass; return the edge's state. OSError if the proxy does not answer."""
        return call_control(self.control, self.edge, conditions)

    def state(self) -> dict[str, Any]:
        """Return conditions and counters."""
        return call_control(self.control, self.edge)

    def ask(self, path: str, within_s: float, padding: str = "") -> EdgeAnswer:
        """GET a path of the role over the edge; OSError if nobody can ask inside the container."""
        if self.container is None:
            return ask_once(self.listens, path, within_s, padding)
        argv = ["python3", "-m", "tocsin.harness.sidecars.proxy.probe"]
        argv += [f"127.0.0.1:{self.listens.rpartition(':')[2]}", path, f"{within_s:g}", padding]
        try:
            _, output = self.container.run_in(argv, within_s=within_s + _START_S)
            return EdgeAnswer(**json.loads(output.strip().splitlines()[-1]))
        except (StackError, ValueError, IndexError, TypeError) as error:
            raise OSError(f"the proxy of {self.edge} cannot be asked from inside: {error}") from None


class ProxyProcess:
    """The process behind all proxies of a run; it is started only if the plan needs one."""

    name = "proxy"

    def __init__(self, places: Places, run: RunFolders) -> None:
        self._places, self._run = places, run
        self.child: Child | None = None

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens if no edge needs it."""
        if not self._places.edges:
            return
        argv = [sys.executable, "-m", "tocsin.harness.sidecars.proxy", "--control", str(self._places.proxy_control)]
        for caller, called in self._places.edges:
            proxy = standing_proxy(self._places, f"{caller} -> {called}")
            argv += ["--edge", proxy.edge, proxy.listens.rpartition(":")[2], proxy.calls]
        self.child = self._run.child_starter().start(argv, name=self.name)
        self._run.clock.wait_until(self._answers, awaited="the proxy to answer", within_s=_UP_S, every_s=0.05)

    def _answers(self) -> tuple[bool, str]:
        if self.died():
            raise RoleDied(self.died()[self.name])
        caller, called = next(iter(self._places.edges))
        try:
            standing_proxy(self._places, f"{caller} -> {called}").state()
        except OSError as error:
            return False, str(error)
        return True, "it answers"

    def proxy(self, edge: str) -> StandingProxy:
        """Return the proxy on an edge; StackError if it has none."""
        return standing_proxy(self._places, edge)

    def died(self) -> dict[str, str]:
        """Return its name -> sentence with the log's last lines, if it ended unexpectedly."""
        if self.child is None or self.child.alive:
            return {}
        return {self.name: self.child.ended()}

    def remove(self) -> None:
        """Do nothing: the process has ended with the others."""


def standing_proxy(places: Places, edge: str, container: RoleDriver | None = None) -> StandingProxy:
    """Return the proxy on an edge (`caller -> role`); StackError if it has none. `container` is the proxy's own."""
    caller, called = ends_of(edge)
    if (caller, called) not in places.edges:
        known = ", ".join(" -> ".join(ends) for ends in places.edges) or "none"
        raise StackError(f"No proxy stands on {edge!r}; there are: {known}.")
    listens, calls = places.address(called, caller=caller), places.address(called)
    name, control = f"{caller} -> {called}", f"127.0.0.1:{places.proxy_control}"
    return StandingProxy(edge=name, listens=listens, calls=calls, control=control, container=container)
