"""What placeholders and declared addresses stand for inside the containers of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.harness.engines.common.placeholders import Places

PROXY = "tocsin-proxy"
"""The service that stands on every edge which a fault of the plan needs."""


@dataclass(frozen=True, kw_only=True)
class ContainerPlaces(Places):
    """The same run as `Places`, seen from a container: roles are called by name, on the ports they declare.

    `readers` is rendered folder -> the service that mounts it, which is the caller of what its files name.
    """

    readers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, places: Places, readers: Mapping[str, str]) -> ContainerPlaces:
        """Return what `places`, the view of this machine, is inside."""
        return cls(**{name: getattr(places, name) for name in Places.__dataclass_fields__}, readers=readers)

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `role:declared port`, or the proxy that stands between `caller` and its primary port."""
        super().address(role, port)  # says which roles and ports there are
        declared = self.stack.roles[role]
        name = declared.primary if port is None else port
        between = self.edges.get((caller, role)) if caller and name == declared.primary else None
        return f"{role}:{declared.ports[name]}" if between is None else f"{PROXY}:{between}"

    def paths(self) -> dict[str, str]:
        """Return nothing: the mounts bring what lies in this run to where the files expect it."""
        return {}

    def rule_roots(self) -> tuple[str, ...]:
        """Return the folders inside, below which rule files may lie: where rendered folders are mounted."""
        return tuple(inside for inside, place in self.stack.paths.items() if place.startswith("{config}"))

    def reader(self, folder: str) -> str | None:
        """Return the role whose container reads a rendered folder."""
        return self.readers.get(folder)
