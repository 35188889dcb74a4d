"""What `tocsin doctor --engine compose` looks at: docker, Compose, an engine of this machine, and every image."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tocsin.harness.core.errors import StackError, TocsinError

if TYPE_CHECKING:
    from tocsin.harness.declarations.stack import Stack
    from tocsin.harness.engines.compose.docker_engine import Docker

ASK_S = 30.0
PULL_S = 1800.0
HERE, TO_BUILD, TO_PULL = "here", "is built at the first run", "must be pulled"
Services = Mapping[str, Mapping[str, Any]]
"""The `services` of a compose file, as `docker compose config` prints them."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that the compose files name. `profiles` is empty for services that always run.

    `variable` is the environment variable that can name another one, `overridden` whether it does.
    """

    name: str
    services: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    variable: str = ""
    overridden: bool = False
    state: str = TO_PULL
    size_mib: int | None = None

    @property
    def origin(self) -> str:
        """Who names it, in words."""
        if self.overridden:
            return f"environment ({self.variable})"
        if self.variable:
            return f"compose file; {self.variable} overrides"
        return "compose file"

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its services, state, origin and name."""
        used, state = ", ".join(self.services), self.state
        if self.profiles:
            used += f" (profile {', '.join(self.profiles)})"
        if self.size_mib is not None:
            state += f", {self.size_mib} MiB"
        return used, state, self.origin, self.name


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Rows of (what, state, origin, where), sentences that say what to do next, and the images that are not here."""

    rows: tuple[tuple[str, str, str, str], ...]
    moves: tuple[str, ...] = ()
    to_pull: tuple[str, ...] = ()


def examine(stack: Stack, variant: str | None, *, pull: bool, report: Callable[[str], None]) -> Examined:
    """Look at everything, in every profile; with `pull`, pull the images that are not here."""
    from tocsin.harness.engines.compose.docker_engine import find_docker
    from tocsin.harness.engines.compose.resolved_files import Project

    try:
        docker = find_docker()
        config = ["compose", *Project(stack=stack, variant=variant).arguments(), "--profile", "*", "config"]
        docker.run([*config, "-q"], within_s=ASK_S)
        resolved = json.loads(docker.run([*config, "--format", "json"], within_s=ASK_S))
        written = json.loads(docker.run([*config, "--format", "json", "--no-interpolate"], within_s=ASK_S))
    except TocsinError as error:
        return Examined(rows=(("docker", "NOT USABLE", "", ""),), moves=(str(error),))
    named = images_of(resolved["services"], written.get("services") or {}, docker.environment)
    images = [_looked_up(docker, image) for image in named]
    moves: tuple[str, ...] = ()
    if pull:
        moves = tuple(_pull(docker, (image for image in images if image.state == TO_PULL), report))
        images = [_looked_up(docker, image) for image in images]
    kind = "rootless" if docker.rootless else "root"
    rows = (
        ("docker", "here", "PATH", docker.cli),
        ("compose", docker.compose, "docker", ""),
        ("engine", docker.engine, kind, docker.host),
        *(image.row for image in images),
    )
    return Examined(rows=rows, moves=moves, to_pull=tuple(image.name for image in images if image.state == TO_PULL))


def _pull(docker: Docker, images: Iterable[Image], report: Callable[[str], None]) -> list[str]:
    """Pull images; return a sentence for each that cannot be pulled."""
    from tocsin.harness.engines.compose.docker_engine import CliFailed

    failures = []
    for image in images:
        report(f"Pulling {image.name}.")
        try:
            docker.run(["pull", "--quiet", image.name], within_s=PULL_S)
        except CliFailed as error:
            failures.append(f"{image.name} cannot be pulled: {error.message}")
    return failures


def images_of(resolved: Services, written: Services, environ: Mapping[str, str]) -> list[Image]:
    """Return each image once, and the one that the pager and the proxies of a drill run in.

    `resolved` are the services with their variables filled in, `written` the same before.
    """
    from tocsin.harness.engines.compose.sidecar_containers import python_image

    names: dict[str, list[str]] = {}
    for service, declared in resolved.items():
        names.setdefault(str(declared.get("image") or f"built for {service}"), []).append(service)
    images = [_image(image, services, resolved, written, environ) for image, services in names.items()]
    variable = "PYTHON_IMAGE"
    users, overridden = ("Tocsin's pager, proxies",), bool(environ.get(variable))
    helpers = Image(name=python_image(environ), services=users, variable=variable, overridden=overridden)
    return [*images, helpers]


def _image(name: str, services: list[str], resolved: Services, written: Services, environ: Mapping[str, str]) -> Image:
    from tocsin.harness.engines.compose.images import image_variable

    variable = image_variable(written.get(services[0], {}))
    overridden = bool(environ.get(variable))
    built = not overridden and any(resolved[service].get("build") for service in services)
    profiles = [set(resolved[service].get("profiles") or ()) for service in services]
    if not all(profiles):
        profiles = []  # a service without a profile always runs
    shared = tuple(sorted(set().union(*profiles)))
    image = Image(name=name, services=tuple(services), profiles=shared, variable=variable, overridden=overridden)
    if built:
        return replace(image, state=TO_BUILD)
    return image


def _looked_up(docker: Docker, image: Image) -> Image:
    """Return an image with what the engine says of it."""
    try:
        size = docker.run(["image", "inspect", "--format", "{{.Size}}", image.name], within_s=ASK_S)
    except StackError:
        return image
    return replace(image, state=HERE, size_mib=int(size.strip() or 0) // 2**20)
