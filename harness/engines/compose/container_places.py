"""Addresses and paths as the containers of a run see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.harness.engines.common.placeholders import Places

PROXY = "tocsin-proxy"
"""The service on every edge that a fault of the plan needs."""


@dataclass(frozen=True, kw_only=True)
class ContainerPlaces(Places):
    """The run of a `Places` as containers see it: roles are reached by name, on the ports they declare.

    `readers` is rendered folder -> the service that mounts it and calls the addresses in its files.
    """

    readers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, places: Places, readers: Mapping[str, str]) -> ContainerPlaces:
        """Return `places`, the view of this machine, as containers see it."""
        return cls(**vars(places), readers=readers)

    def address(self, role: str, port: str | None = None, *, caller: str | None = None) -> str:
        """Return `role:declared port`, or the proxy between `caller` and the role's primary port."""
        name = self.port_name(role, port)
        if proxy_port := self.proxy_port(role, name, caller):
            return f"{PROXY}:{proxy_port}"
        return f"{role}:{self.stack.roles[role].ports[name]}"

    def paths(self) -> dict[str, str]:
        """Return nothing: mounts bring the run's files to where containers expect them."""
        return {}

    def rule_roots(self) -> tuple[str, ...]:
        """Return the folders in containers that may hold rule files: where rendered folders are mounted."""
        return tuple(folder for folder, source in self.stack.paths.items() if source.startswith("{config}"))

    def reader(self, folder: str) -> str | None:
        """Return the role whose container reads a rendered folder."""
        return self.readers.get(folder)
