"""Addresses, paths and mounts as the containers of a run see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.compose_validation import ComposeDict, ComposeObject, mounts, section

PROXY = "tocsin-proxy"
"""The service on every edge that a fault of the plan needs."""
_CONFIG = "{config}/"


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


def redirected(mount: ComposeObject, places: Places, volumes: dict[str, str]) -> ComposeDict:
    """Return a mount as this run has it; `volumes` is what `redirected_volumes` returns.

    A mount at one of stack.yaml's `paths` comes from where that says, a mount from a rendered folder of the stack from
    the rendered copy. Every other mount stays.
    """
    source = places.paths().get(_target(mount))
    if source is None and _is_named_volume(mount):
        source = volumes.get(str(mount["source"]))
    if source:
        kept = {key: value for key, value in mount.items() if key in ("target", "read_only")}
        return {"type": "bind", "source": source, **kept, "bind": {"create_host_path": False}}
    if mount.get("type") == "bind":
        relative = _rendered_path(mount, places)
        if relative is not None:
            return {**mount, "source": str(places.config / relative), "bind": {"create_host_path": False}}
    return dict(mount)


def redirected_volumes(config: ComposeObject, places: Places) -> dict[str, str]:
    """Return named volume -> its folder in this run, for each that a service mounts at one of stack.yaml's `paths`."""
    paths = places.paths()
    named = [mount for mount in mounts(config) if _is_named_volume(mount)]
    return {str(mount["source"]): paths[_target(mount)] for mount in named if _target(mount) in paths}


def readers(config: ComposeObject, places: Places) -> dict[str, str]:
    """Return rendered folder -> the first service that mounts it or something in it."""
    first_reader: dict[str, str] = {}
    for name, service in section(config, "services").items():
        for mount in service.get("volumes") or ():
            folder = _rendered_folder(mount, places) if mount.get("type") == "bind" else ""
            if folder:
                first_reader.setdefault(folder, name)
    return first_reader


def _rendered_folder(mount: ComposeObject, places: Places) -> str:
    """Return the rendered folder that a mount comes from, empty for another."""
    relative = _rendered_path(mount, places)
    if relative is not None:
        return relative.parts[0]
    path = places.stack.paths.get(_target(mount), "")
    return path.removeprefix(_CONFIG).partition("/")[0] if path.startswith(_CONFIG) else ""


def _rendered_path(mount: ComposeObject, places: Places) -> Path | None:
    """Return a mount's source relative to the stack folder, None unless it is in a rendered part of it."""
    try:
        relative = Path(str(mount.get("source", ""))).relative_to(places.stack.folder.absolute())
    except ValueError:
        return None
    return relative if relative.parts and relative.parts[0] in places.stack.render else None


def _is_named_volume(mount: ComposeObject) -> bool:
    return mount.get("type") == "volume" and bool(mount.get("source"))


def _target(mount: ComposeObject) -> str:
    return str(mount.get("target", "")).rstrip("/")
