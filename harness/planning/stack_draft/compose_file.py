"""Reads a compose file as far as a draft needs it: images, ports, mounts, commands, health checks, labels."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tocsin.harness.core.errors import Mistake, UsageError

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
class Composed:
    """A compose file: where it lies, its services, and the keys that send one to other files."""

    path: Path
    services: tuple[Service, ...]
    elsewhere: tuple[str, ...] = ()


def read_compose(path: Path) -> Composed:
    """Read it, variables replaced by the environment or their defaults; UsageError if it is none."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(
            path, str(getattr(error, "strerror", None) or "no text"), "a compose file that can be read"
        ) from None
    except YAMLError as error:
        raise _wrong(
            path, " ".join(str(error).split()), "YAML; `docker compose config` shows it in plain form"
        ) from None
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict) or not services:
        raise _wrong(path, "no services", "a compose file with `services:`")
    read = {str(name): _plain(one) if isinstance(one, dict) else {} for name, one in services.items()}
    elsewhere = [key for key in ("include",) if key in content]
    elsewhere += [f"{name}: extends" for name, one in read.items() if "extends" in one]
    return Composed(
        path=path, services=tuple(_service(name, one) for name, one in read.items()), elsewhere=tuple(elsewhere)
    )


def _wrong(path: Path, value: str, expected: str) -> UsageError:
    return UsageError([Mistake(file=str(path), line=0, where="--from", value=value, expected=expected)])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(_variable, value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _variable(match: re.Match[str]) -> str:
    dollar, braced, default, bare = match.groups()
    return "$" if dollar else os.environ.get(braced or bare) or default or ""


def _service(name: str, given: Mapping[str, Any]) -> Service:
    published = [_port(one) for one in _list(given.get("ports"))]
    exposed = [_port(one) for one in _list(given.get("expose"))]
    check = given.get("healthcheck")
    never = given.get("restart") in ("no", False)
    return Service(
        name=name,
        image=str(given.get("image") or ""),
        built="build" in given,
        ports=tuple(dict.fromkeys(port for port in (*published, *exposed) if port)),
        mounts=dict(mount for one in _list(given.get("volumes")) if (mount := _mount(one))),
        command=tuple(_words(given.get("entrypoint")) + _words(given.get("command"))),
        profiles=tuple(str(one) for one in _list(given.get("profiles"))),
        labels=_pairs(given.get("labels")),
        health=_health(check.get("test") if isinstance(check, dict) else None),
        once=never and not published and not check,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _port(value: Any) -> int | None:
    text = str(value.get("target", "")) if isinstance(value, dict) else str(value)
    last = text.partition("/")[0].rpartition(":")[2].partition("-")[0]
    return int(last) if last.isdigit() else None


def _mount(value: Any) -> tuple[str, str] | None:
    if isinstance(value, dict):
        source, target = str(value.get("source", "")), str(value.get("target", ""))
    else:
        source, _, rest = str(value).partition(":")
        target = rest.partition(":")[0]
    bound = source.startswith((".", "/", "~")) and target.startswith("/")
    return (str(PurePosixPath(target)), source) if bound else None


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(one) for one in _list(value)]


def _pairs(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(key): str(one) for key, one in value.items()}
    halves = (str(one).partition("=") for one in _list(value))
    return {key: one for key, _, one in halves}


def _health(test: Any) -> tuple[int, str] | None:
    found = _URL.search(test if isinstance(test, str) else " ".join(str(one) for one in _list(test)))
    return (int(found.group(1)), found.group(2) or "/") if found else None
