"""The images of a compose stack: built once and tagged by their content, or pulled; never twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.compose.compose_validation import ComposeObject, pairs, section
from tocsin.harness.engines.compose.docker_engine import CliFailed, Docker

LABEL, BUILT = "tocsin.image", "built"
"""What marks images that Tocsin built; `tocsin sweep --images` removes them."""
BUILD_S = 1200.0
PULL_S = 1200.0
_VARIABLE = re.compile(r"^\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_TAG = 12


@dataclass(frozen=True, kw_only=True)
class Images:
    """Brings the images of a stack. `report` gets a sentence before each step that takes a while."""

    docker: Docker
    stack: str
    log: Path
    report: Callable[[str], None] = lambda sentence: None

    def bring(self, config: ComposeObject, written: ComposeObject, *, work: Path, more: str) -> dict[str, str]:
        """Build or pull what is missing and return service -> image; `more` is a further image to bring.

        `config` is the resolved compose file, `written` the same before variables were filled in: an image named by a
        variable that is set is used as it is, although the service could be built.
        """
        services = section(config, "services")
        images = {name: str(service.get("image") or "") for name, service in services.items()}
        for name, service in services.items():
            build = service.get("build")
            variable = image_variable(section(written, "services").get(name, {}))
            if build and not self.docker.environment.get(variable):
                images[name] = f"tocsin/{self.stack}-{name}:{content_of(build)}".lower()
                if not self.here(images[name]):
                    self._build(name, build, images[name], work)
        for image in dict.fromkeys((*images.values(), more)):
            if not self.here(image):
                self._pull(image)
        return images

    def here(self, image: str) -> bool:
        """Return whether the Docker engine has an image."""
        try:
            self.docker.run(["image", "inspect", "--format", "{{.Id}}", image], within_s=15)
        except CliFailed:
            return False
        return True

    def _build(self, name: str, build: ComposeObject, image: str, work: Path) -> None:
        self.report(f"Building {image} for {name}; its output goes to {self.log}.")
        began = time.monotonic()
        labels = {**pairs(build.get("labels")), LABEL: BUILT}
        content = {"name": "tocsin-build", "services": {name: {"image": image, "build": {**build, "labels": labels}}}}
        file = work / f"build-{name}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        argv = ["compose", "-f", str(file), "--progress", "plain", "build", name]
        self._run(argv, BUILD_S, failure=f"The image of {name} cannot be built", hint="See its output.")
        self.report(f"Built {image} in {time.monotonic() - began:.0f} s.")

    def _pull(self, image: str) -> None:
        self.report(f"Pulling {image}.")
        hint = "Name another in the environment, if the compose file says where."
        self._run(["pull", image], PULL_S, failure=f"Image {image} is not here and cannot be pulled", hint=hint)

    def _run(self, argv: Sequence[str], within_s: float, *, failure: str, hint: str) -> None:
        try:
            self.docker.run(argv, within_s=within_s, log=self.log)
        except CliFailed as failed:
            raise StackError(f"{failure}: {failed.message}", hint=hint) from None


def image_variable(service: ComposeObject) -> str:
    """Return the environment variable that a service's image is written as, empty for none."""
    variable = _VARIABLE.match(str(service.get("image") or ""))
    if variable is None:
        return ""
    return variable.group(1)


def content_of(build: ComposeObject) -> str:
    """Return a short hash of all that goes into a build: its arguments, its Dockerfile and the files of its context.

    Files that .dockerignore leaves out do not count. StackError for a context that is no folder of this machine.
    """
    context = Path(str(build.get("context", ".")))
    if not context.is_dir():
        raise StackError(f"Build context {context} is not a folder of this machine.", hint="Correct the compose file.")
    arguments = {key: value for key, value in build.items() if key not in ("context", "labels")}
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True, default=str).encode())
    dockerfile = str(build.get("dockerfile") or "Dockerfile")
    for name in sorted(exclude_paths(str(context), _ignored(context), dockerfile)):
        path = context / name
        if path.is_file() and "__pycache__" not in path.parts:
            is_executable = bool(path.stat().st_mode & 0o111)
            digest.update(f"{name}\0{is_executable}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    if os.path.isabs(dockerfile) and Path(dockerfile).is_file():
        digest.update(Path(dockerfile).read_bytes())
    return digest.hexdigest()[:_TAG]


def _ignored(context: Path) -> list[str]:
    file = context / ".dockerignore"
    if not file.is_file():
        return []
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def sweep_images(docker: Docker, named: str = "tocsin/*") -> list[str]:
    """Remove every image of that name that Tocsin built and no container uses; return their names."""
    argv = ["image", "ls", "--filter", f"label={LABEL}={BUILT}", "--format", "{{.Repository}}:{{.Tag}}", named]
    removed = []
    for image in dict.fromkeys(docker.run(argv, within_s=30).split()):
        try:
            docker.run(["image", "rm", image], within_s=60)
        except CliFailed:  # a container uses it
            continue
        removed.append(image)
    return removed
