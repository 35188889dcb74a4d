"""The compose engine: the same stack folder under Docker Compose, on an engine of this machine."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.declarations.timeline import Timeline
from tocsin.harness.engines.common import host_cleanup
from tocsin.harness.engines.common.bring_up import allot_ports, running
from tocsin.harness.engines.common.host_capabilities import HostNeeds
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.compose.compose_backend import ComposeBackend
from tocsin.harness.engines.compose.container_places import ContainerPlaces, readers
from tocsin.harness.engines.compose.docker_engine import CliFailed, Docker, find_docker
from tocsin.harness.engines.compose.images import Images
from tocsin.harness.engines.compose.removal import LABEL
from tocsin.harness.engines.compose.resolved_files import Project, clock_offset
from tocsin.harness.engines.compose.role_limits import capabilities
from tocsin.harness.engines.compose.run_compose_file import Transform, knows_start_interval, make_folders
from tocsin.harness.engines.compose.sidecar_containers import copy_code, python_image
from tocsin.harness.engines.kernel.run_processes import RUN_ID
from tocsin.harness.engines.render.stack_files import PAGER, keep_copy, render

UP_S = 300.0
"""Wall seconds for Compose to create and start everything in its order, once all images are here."""
_PORT_TAKEN = ("port is already allocated", "address already in use")


@dataclass(kw_only=True)
class ComposeEngine:
    """Brings a stack up in containers. `report` gets a sentence before whatever takes long."""

    variant: str | None = None
    report: Callable[[str], None] = field(default=lambda sentence: None, repr=False)
    owns_stack: bool = True
    around_play_s: int = 20

    def capabilities(self, stack: Stack) -> frozenset[str]:
        """Return what can be done to a role's container here.

        MissingProgram or StackError without a Docker engine or a compose file; UsageError for an unknown variant.
        """
        Project(stack=stack, variant=self.variant).arguments()
        return capabilities(stack, root_on_host=find_docker().root_on_host)

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return nothing: beside Docker no program must be on this machine."""
        return ()

    @contextmanager
    def up(self, timeline: Timeline, run: Run, journal: Journal) -> Iterator[RunningStack]:
        """Bring the stack up, give it, and take it down on every way out."""
        docker, project = find_docker(), Project(stack=timeline.stack, variant=self.variant)
        docker = replace(docker, environment={**docker.environment, RUN_ID: run.id})  # its commands end with the run
        config, written = project.read(docker, run)
        log = run.folder / "stack-logs" / "compose.log"
        images = Images(docker=docker, stack=timeline.stack.name, log=log, report=self.report)
        chosen = images.bring(config, written, work=run.work, more=python_image())
        journal.note("images", images=chosen, docker=docker.engine, compose=docker.compose)
        attempt = ComposeAttempt(
            timeline=timeline, run=run, journal=journal, docker=docker, config=config, images=chosen
        )
        with running(attempt, run, journal) as live:
            yield live


@dataclass(frozen=True, kw_only=True)
class ComposeAttempt:
    """One run about to be brought up. `config` is the stack's compose file, `images` service -> image."""

    timeline: Timeline
    run: Run
    journal: Journal
    docker: Docker
    config: Mapping[str, Any]
    images: Mapping[str, str]

    @property
    def file(self) -> Path:
        """The compose file of the run."""
        return self.run.work / "compose.json"

    def prepare(self) -> ComposeBackend:
        """Choose ports, render, and write the run's compose file and engine.json; nothing is started."""
        places = allot_ports(self.timeline, self.run, self._roles())
        inside = ContainerPlaces.of(places, readers(self.config, places))
        render(inside)
        keep_copy(places.config, self.run.folder / "config", places.paths())
        copy_code(self.run.work)
        content = self._transform(places, inside).apply(self.config)
        disks = HostNeeds.of(self.timeline).mount_points(places)
        written = self._written() | {"disks": {name: str(folder) for name, folder in disks.items()}}
        host_cleanup.write_down(self.run.work, mounts=list(disks.values()), written=written)
        self.file.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return ComposeBackend.of(places, self.run, written)

    def _roles(self) -> list[str]:
        stack, services = self.timeline.stack, self.config["services"]
        roles = [role for role in stack.roles if role in services or role == PAGER]
        if stack.payload.role not in roles:
            raise StackError(
                f"The compose file has no service {stack.payload.role!r} in the profiles of the run; "
                f"it has {', '.join(services)}.",
                hint="Name services as stack.yaml names roles.",
            )
        return roles

    def _transform(self, places: Places, inside: ContainerPlaces) -> Transform:
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return Transform(
            places=places,
            inside=inside,
            images=self.images,
            python_image=python_image(),
            user="0:0" if self.docker.rootless else f"{os.getuid()}:{os.getgid()}",
            checked_once=knows_start_interval(self.docker.engine),
            most_files=None if hard_limit == resource.RLIM_INFINITY else hard_limit,
        )

    def _written(self) -> dict[str, Any]:
        """Return what taking the stack down needs, whoever does it."""
        return {
            "engine": "compose",
            "run_id": self.run.id,
            "project": self.run.id,
            "label": f"{LABEL}={self.run.id}",
            "docker_host": self.docker.host,
            "cli": self.docker.cli,
            "handles": sorted(capabilities(self.timeline.stack, root_on_host=self.docker.root_on_host)),
            "compose_file": str(self.file),
            "image": python_image(),
            "work": str(self.run.work),
            "logs": str(self.run.folder / "stack-logs"),
        }

    def start(self, backend: ComposeBackend, live: RunningStack) -> None:
        """Make what the run needs here, start all in the order of the compose file, and wait for every role."""
        self.make_folders(backend.places)
        argv = ["compose", "-p", self.run.id, "-f", str(self.file), "up", "-d", "--no-build", "--remove-orphans"]
        log = self.run.folder / "stack-logs" / "compose.log"
        try:
            self.docker.run(argv, within_s=UP_S, log=log)
        except CliFailed as failed:
            backend.helpers.find_roles(backend.roles, some=True)
            if dead := live.died():
                raise RoleDied("\n".join(dead.values()), hint="See stack-logs.") from None
            raise StackError(failed.message, hint=f"See {log}.") from None
        backend.helpers.find_roles(backend.roles)
        live.write_down()
        live.wait_for_all()
        self.journal.note("container_clock", **clock_offset(self.docker.host))

    def make_folders(self, places: Places) -> None:
        """Mount the disks that the plan needs, then make the folders that containers write into, some on the disks.

        engine.json names the mounts already, so whoever takes the run down unmounts them.
        """
        needs = HostNeeds.of(self.timeline)
        needs.mount_all(places)
        for folder in needs.mount_points(places).values():
            folder.chmod(0o777)
        make_folders(json.loads(self.file.read_text(encoding="utf-8")), self.run.work)
        for role in places.ports:
            for text in places.stack.roles[role].compose.folders:
                folder = Path(places.fill(text, role))
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o777)

    def port_taken(self, error: BaseException) -> bool:
        """Tell whether Docker could not publish a port because another process has it."""
        return isinstance(error, StackError) and any(sign in str(error) for sign in _PORT_TAKEN)
