"""The proxies of a run: one process that stands on every edge which a fault of the plan needs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tocsin.harness.core.clock import Clock
from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import ends_of
from tocsin.harness.engines.common.child_processes import Child, Nursery
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.faults import needs
from tocsin.harness.sidecars.proxy.edge_control import tell

_UP_S = 10.0


def proxied(timeline: Timeline) -> tuple[tuple[str, str], ...]:
    """Return the edges that faults of the plan break, each once: (caller, role called)."""
    named = [need for fault in timeline.faults for need in needs(fault.kind, fault.params) if need.startswith("edge:")]
    return tuple(dict.fromkeys(ends_of(need.removeprefix("edge:")) for need in named))


@dataclass(kw_only=True)
class StandingProxy:
    """A proxy on an edge: `listens` is where its caller connects, `calls` the role's own address."""

    edge: str
    listens: str
    calls: str
    control: str

    def set(self, **conditions: Any) -> dict[str, Any]:
        """Set conditions (none: as if it were not there); return the edge's state. OSError if it does not answer."""
        return tell(self.control, self.edge, conditions)

    def state(self) -> dict[str, Any]:
        """Return conditions and counters."""
        return tell(self.control, self.edge)


class Proxies:
    """Starts the process, if the plan needs one, and finds the proxy of an edge."""

    name = "proxy"

    def __init__(self, places: Places, nursery: Nursery, clock: Clock) -> None:
        self._places, self._nursery, self._clock = places, nursery, clock
        self.child: Child | None = None

    def start(self) -> None:
        """Start it and wait until it answers; nothing if no edge needs it."""
        if not self._places.edges:
            return
        argv = [sys.executable, "-m", "tocsin.harness.sidecars.proxy", "--control", str(self._places.proxy_control)]
        for caller, called in self._places.edges:
            proxy = self.on(f"{caller} -> {called}")
            argv += ["--edge", proxy.edge, proxy.listens.rpartition(":")[2], proxy.calls]
        self.child = self._nursery.start(argv, name=self.name)
        self._clock.wait_until(self._answers, awaited="the proxy to answer", within_s=_UP_S, every_s=0.05)

    def _answers(self) -> tuple[bool, str]:
        if self.died():
            raise RoleDied(self.died()[self.name])
        caller, called = next(iter(self._places.edges))
        try:
            self.on(f"{caller} -> {called}").state()
        except OSError as error:
            return False, str(error)
        return True, "it answers"

    def died(self) -> dict[str, str]:
        """Return its name -> sentence with the log's tail, if it ended unasked."""
        if self.child is None or self.child.alive:
            return {}
        return {self.name: self.child.ended()}

    def on(self, edge: str) -> StandingProxy:
        """Return the proxy on an edge; StackError where none stands."""
        return standing(self._places, edge)


def standing(places: Places, edge: str) -> StandingProxy:
    """Return the proxy on an edge of a run as this machine reaches it; StackError where none stands."""
    caller, called = ends_of(edge)
    if (caller, called) not in places.edges:
        known = ", ".join(" -> ".join(one) for one in places.edges) or "none"
        raise StackError(f"No proxy stands on {edge!r}; there are: {known}.")
    return StandingProxy(
        edge=f"{caller} -> {called}",
        listens=places.address(called, caller=caller),
        calls=places.address(called),
        control=f"127.0.0.1:{places.proxy_control}",
    )
