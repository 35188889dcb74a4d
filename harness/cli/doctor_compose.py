"""What `tocsin doctor --engine compose` looks at: docker, Compose, an engine of this machine, and every image."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.harness.core.errors import StackError, TocsinError

if TYPE_CHECKING:
    from tocsin.harness.declarations.stack import Stack
    from tocsin.harness.engines.compose.docker_engine import Docker

ASK_S = 30.0
PULL_S = 1800.0
HERE, TO_BUILD, TO_PULL = "here", "is built at the first run", "must be pulled"
_VARIABLE = re.compile(r"^\$\{?([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that the compose files name. `profiles` is empty for services that always run.

    `variable` is the environment variable that can name another one, `overridden` whether it does.
    """

    name: str
    services: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    variable: str | None = None
    overridden: bool = False
    state: str = HERE
    size_mib: int | None = None

    @property
    def origin(self) -> str:
        """Who names it, in words."""
        if self.overridden:
            return f"environment ({self.variable})"
        return f"compose file; {self.variable} overrides" if self.variable else "compose file"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was found: rows of (what, state, origin, where), and sentences that tell what to do next."""

    rows: tuple[tuple[str, str, str, str], ...]
    moves: tuple[str, ...] = ()
    to_pull: tuple[str, ...] = ()


def examine(stack: Stack, variant: str | None, *, pull: bool, report: Callable[[str], None]) -> Seen:
    """Look at everything, in every profile; with `pull`, bring the images that are not here."""
    from tocsin.harness.engines.compose.docker_engine import CliFailed, find_docker
    from tocsin.harness.engines.compose.project import Project

    try:
        docker = find_docker()
        told = ["compose", *Project(stack=stack, variant=variant).arguments(), "--profile", "*", "config"]
        docker.run([*told, "-q"], within_s=ASK_S)
        config = json.loads(docker.run([*told, "--format", "json"], within_s=ASK_S))
        written = json.loads(docker.run([*told, "--format", "json", "--no-interpolate"], within_s=ASK_S))
    except TocsinError as lacking:
        sentences = (lacking.message, lacking.hint) if lacking.hint else (lacking.message,)
        return Seen(rows=(("docker", "NOT USABLE", "", ""),), moves=(" ".join(sentences),))
    found = [_looked_up(docker, image) for image in images_of(config, written, docker.environment)]
    moves = []
    for image in [image for image in found if pull and image.state == TO_PULL]:
        report(f"Pulling {image.name}.")
        try:
            docker.run(["pull", "--quiet", image.name], within_s=PULL_S)
        except CliFailed as failed:
            moves.append(f"{image.name} cannot be pulled: {failed.message}")
    if pull:
        found = [_looked_up(docker, image) for image in found]
    lacking_now = tuple(image.name for image in found if image.state == TO_PULL)
    return Seen(rows=(*_engine_rows(docker), *map(_row, found)), moves=tuple(moves), to_pull=lacking_now)


def images_of(config: Mapping[str, Any], written: Mapping[str, Any], environ: Mapping[str, str]) -> list[Image]:
    """Return each image once, and the one that the pager and the proxies of a drill run in.

    `config` is the compose file resolved, `written` the same before variables were filled in.
    """
    from tocsin.harness.engines.compose.helper_containers import python_image

    services: dict[str, list[str]] = {}
    for name, service in config["services"].items():
        services.setdefault(str(service.get("image") or f"built for {name}"), []).append(name)
    found = [_named(image, names, config, written, environ) for image, names in services.items()]
    variable, named = "PYTHON_IMAGE", python_image(environ)
    overridden = bool(environ.get(variable))
    helpers = Image(
        name=named, services=("Tocsin's pager, proxies",), variable=variable, overridden=overridden, state=TO_PULL
    )
    return [*found, helpers]


def _named(
    image: str,
    names: list[str],
    config: Mapping[str, Any],
    written: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Image:
    match = _VARIABLE.match(str((written.get("services") or {}).get(names[0], {}).get("image") or ""))
    variable = match.group(1) if match else None
    overridden = bool(variable and environ.get(variable))
    built = any(config["services"][name].get("build") for name in names) and not overridden
    profiles = [set(config["services"][name].get("profiles") or ()) for name in names]
    return Image(
        name=image,
        services=tuple(names),
        profiles=() if any(not some for some in profiles) else tuple(sorted(set().union(*profiles))),
        variable=variable,
        overridden=overridden,
        state=TO_BUILD if built else TO_PULL,
    )


def _looked_up(docker: Docker, image: Image) -> Image:
    from dataclasses import replace

    try:
        size = docker.run(["image", "inspect", "--format", "{{.Size}}", image.name], within_s=ASK_S)
    except StackError:
        return image
    return replace(image, state=HERE, size_mib=int(size.strip() or 0) // 2**20)


def _engine_rows(docker: Docker) -> list[tuple[str, str, str, str]]:
    kind = "rootless" if docker.rootless else "root"
    return [
        ("docker", "here", "PATH", docker.cli),
        ("compose", docker.compose, "docker", ""),
        ("engine", docker.engine, kind, docker.host),
    ]


def _row(image: Image) -> tuple[str, str, str, str]:
    size = f", {image.size_mib} MiB" if image.size_mib is not None else ""
    used = ", ".join(image.services) + (f" (profile {', '.join(image.profiles)})" if image.profiles else "")
    return (used, image.state + size, image.origin, image.name)
