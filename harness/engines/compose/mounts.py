"""Leads the mounts of a compose file to where a run has its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.harness.engines.common.placeholders import Places


def led(mount: Mapping[str, Any], places: Places, volumes: Mapping[str, str]) -> dict[str, Any]:
    """Return a mount as this run has it; `volumes` is what `led_volumes` says.

    What is mounted at a path of stack.yaml's `paths` lies where that says; what is mounted from a rendered folder of
    the stack is the rendered copy; everything else stays.
    """
    place = places.paths().get(_target(mount)) or (volumes.get(str(mount.get("source"))) if _named(mount) else None)
    if place:
        kept = {key: value for key, value in mount.items() if key in ("target", "read_only")}
        return {"type": "bind", "source": place, **kept, "bind": {"create_host_path": False}}
    if mount.get("type") == "bind" and (copy := _copy(str(mount["source"]), places)) is not None:
        return {**mount, "source": str(copy), "bind": {"create_host_path": False}}
    return dict(mount)


def led_volumes(config: Mapping[str, Any], places: Places) -> dict[str, str]:
    """Return named volume -> where it lies in this run, for each that any service mounts at a path of `paths`."""
    mounts = [mount for service in (config.get("services") or {}).values() for mount in service.get("volumes") or ()]
    declared = places.paths()
    return {
        str(mount["source"]): declared[_target(mount)]
        for mount in mounts
        if _named(mount) and _target(mount) in declared
    }


def _named(mount: Mapping[str, Any]) -> bool:
    return mount.get("type") == "volume" and bool(mount.get("source"))


def _target(mount: Mapping[str, Any]) -> str:
    return str(mount.get("target", "")).rstrip("/")


def _copy(source: str, places: Places) -> Path | None:
    relative = rendered(source, places)
    return None if relative is None else places.config / relative


def rendered(source: str, places: Places) -> Path | None:
    """Return where a file or folder of the machine lies below the stack folder, if it is in a rendered part of it."""
    home = places.stack.folder.absolute()
    try:
        relative = Path(source).relative_to(home)
    except ValueError:
        return None
    return relative if relative.parts and relative.parts[0] in places.stack.render else None


def readers(config: Mapping[str, Any], places: Places) -> dict[str, str]:
    """Return rendered folder -> the first service that mounts it or something in it."""
    found: dict[str, str] = {}
    inside = {name: place for name, place in places.stack.paths.items() if place.startswith("{config}/")}
    for service, content in (config.get("services") or {}).items():
        for mount in content.get("volumes") or ():
            if mount.get("type") != "bind":
                continue
            relative = rendered(str(mount.get("source", "")), places)
            folder = relative.parts[0] if relative else None
            if folder is None and (place := inside.get(str(mount.get("target", "")).rstrip("/"))):
                folder = place.removeprefix("{config}/").partition("/")[0]
            if folder:
                found.setdefault(folder, service)
    return found
