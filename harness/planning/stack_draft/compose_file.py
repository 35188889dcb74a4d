"""Reads a compose file as far as a draft needs it: images, ports, mounts, commands, health checks, labels."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.errors import UsageError
from tocsin.harness.core.untyped_data import items, mapping, text, texts

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::?-([^}]*))?[^}]*\}|(\w+))")
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d+)(/[^\s'\"\\)]*)?")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of a compose file. `ports` are those of the container; `mounts` maps its paths to those of the host."""

    name: str
    image: str = ""
    built: bool = False
    ports: tuple[int, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    health: tuple[int, str] | None = None
    """Port and path that its health check asks, when it asks one by HTTP."""
    once: bool = False
    """It does something and ends: `restart: "no"`, and neither a port nor a health check."""

    def host(self, inside: str) -> str | None:
        """Return where a file of the container lies, as the compose file writes it; None if no mount holds it."""
        for place in (PurePosixPath(inside), *PurePosixPath(inside).parents):
            if str(place) in self.mounts:
                rest = PurePosixPath(inside).relative_to(place)
                return str(PurePosixPath(self.mounts[str(place)]) / rest)
        return None


@dataclass(frozen=True, kw_only=True)
class ComposeFile:
    """A compose file: where it lies, its services, and the keys that refer to other files."""

    path: Path
    services: tuple[Service, ...]
    refers_to: tuple[str, ...] = ()


def read_compose(path: Path) -> ComposeFile:
    """Read it, variables replaced by the environment or their defaults; UsageError if it is none."""
    try:
        content = mapping(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = error.strerror or "unreadable"
        raise UsageError.of(path, "--from", problem, "a compose file that can be read") from None
    except UnicodeDecodeError:
        raise UsageError.of(path, "--from", "no text", "a compose file that can be read") from None
    except YAMLError as error:
        expected = "YAML; `docker compose config` shows it in plain form"
        raise UsageError.of(path, "--from", " ".join(str(error).split()), expected) from None
    services = mapping(_filled_in(content.get("services")))
    if not services:
        raise UsageError.of(path, "--from", "no services", "a compose file with `services:`")
    fields = {name: mapping(service) for name, service in services.items()}
    refers_to = [key for key in ("include",) if key in content]
    refers_to += [f"{name}: extends" for name, service in fields.items() if "extends" in service]
    return ComposeFile(
        path=path,
        services=tuple(_service(name, service) for name, service in fields.items()),
        refers_to=tuple(refers_to),
    )


def _filled_in(value: object) -> object:
    """Return a value in which every variable has its value."""
    if isinstance(value, str):
        return _VARIABLE.sub(_value, value)
    if isinstance(value, dict):
        return {str(key): _filled_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled_in(item) for item in value]
    return value


def _value(match: re.Match[str]) -> str:
    dollar, braced, default, bare = match.groups()
    if dollar:
        return "$"
    return os.environ.get(braced or bare) or default or ""


def _service(name: str, given: Mapping[str, object]) -> Service:
    published = [_port(port) for port in items(given.get("ports"))]
    exposed = [_port(port) for port in items(given.get("expose"))]
    mounts = [_mount(volume) for volume in items(given.get("volumes"))]
    check = mapping(given.get("healthcheck"))
    never_again = given.get("restart") in ("no", False)
    return Service(
        name=name,
        image=text(given.get("image")),
        built="build" in given,
        ports=tuple(dict.fromkeys(port for port in (*published, *exposed) if port)),
        mounts=dict(mount for mount in mounts if mount),
        command=(*_words(given.get("entrypoint")), *_words(given.get("command"))),
        profiles=tuple(str(profile) for profile in items(given.get("profiles"))),
        labels=_labels(given.get("labels")),
        health=_health(check.get("test")),
        once=never_again and not published and not check,
    )


def _port(written: object) -> int | None:
    """Return the container's port of `8000`, `127.0.0.1:80:8000/tcp` or `{target: 8000}`, the first of a range."""
    port = mapping(written).get("target", written)
    last = str(port).partition("/")[0].rpartition(":")[2].partition("-")[0]
    return int(last) if last.isdigit() else None


def _mount(written: object) -> tuple[str, str] | None:
    """Return (path in the container, path of the host) of a mounted file or folder, None for a volume."""
    source, _, target = str(written).partition(":")
    if isinstance(written, Mapping):
        source, target = text(written.get("source")), text(written.get("target"))
    target = target.partition(":")[0]
    if source.startswith((".", "/", "~")) and target.startswith("/"):
        return str(PurePosixPath(target)), source
    return None


def _words(command: object) -> list[str]:
    if not isinstance(command, str):
        return [str(word) for word in items(command)]
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _labels(given: object) -> dict[str, str]:
    """Return labels that are written as a mapping, or as a list of `name=value`."""
    listed = {}
    for label in items(given):
        name, _, value = str(label).partition("=")
        listed[name] = value
    return listed or texts(given)


def _health(test: object) -> tuple[int, str] | None:
    command = test if isinstance(test, str) else " ".join(str(word) for word in items(test))
    url = _URL.search(command)
    if url is None:
        return None
    return int(url.group(1)), url.group(2) or "/"
