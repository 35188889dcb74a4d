"""The compose engine: the same stack folder under Docker Compose, on an engine of this machine."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.core.journal import Journal
from tocsin.harness.declarations.scenario import Timeline
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common import host_resources
from tocsin.harness.engines.common.edge_proxies import proxied
from tocsin.harness.engines.common.host_capabilities import Extras, mount_all, places_of_disks
from tocsin.harness.engines.common.live_stack_base import depart
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.engines.common.run_folders import Run
from tocsin.harness.engines.compose import health_checks
from tocsin.harness.engines.compose.compose_stack import ComposeStack
from tocsin.harness.engines.compose.container_places import ContainerPlaces
from tocsin.harness.engines.compose.docker_engine import CliFailed, Docker, find_docker
from tocsin.harness.engines.compose.helper_containers import copy_code, python_image
from tocsin.harness.engines.compose.images import Images
from tocsin.harness.engines.compose.mounts import readers
from tocsin.harness.engines.compose.project import Project, clock_offset
from tocsin.harness.engines.compose.role_limits import handles
from tocsin.harness.engines.compose.run_file import Transform, make_folders
from tocsin.harness.engines.compose.take_down import LABEL
from tocsin.harness.engines.kernel.run_processes import RUN_ID
from tocsin.harness.engines.render.stack_files import PAGER, keep_copy, render

UP_S = 300.0
"""Wall seconds for Compose to make and start everything in its order, once all images are here."""
_TAKEN = ("port is already allocated", "address already in use")


@dataclass(kw_only=True)
class ComposeEngine:
    """Brings a stack up in containers. `report` gets a sentence before whatever takes long."""

    variant: str | None = None
    report: Callable[[str], None] = field(default=lambda sentence: None, repr=False)
    name: str = "compose"
    owns_stack: bool = True

    def handles(self, stack: Stack) -> frozenset[str]:
        """Return what can be done to a role here (`tocsin.harness.faults.bases.fault.HANDLES`), known before anything is up.

        MissingProgram or StackError where there is no engine to ask, or no compose file; UsageError for a variant
        that there is not.
        """
        Project(stack=stack, variant=self.variant).arguments()
        return handles(stack, near=find_docker().near)

    def programs(self, stack: Stack) -> tuple[str, ...]:
        """Return the programs that must be on this machine beside Docker: none."""
        return ()

    @contextmanager
    def up(self, timeline: Timeline, run: Run, journal: Journal) -> Iterator[ComposeStack]:
        """Bring the stack up, give it, and take it down on every way out; the work folder goes with it.

        MissingProgram, StackError, RoleDied or WaitTimeout when it does not come up. Collect before leaving.
        """
        with closing(run):
            docker, project = find_docker(), Project(stack=timeline.stack, variant=self.variant)
            docker = _carrying(docker, run)
            config, written = project.read(docker, run)
            log = run.folder / "stack-logs" / "compose.log"
            images = Images(docker=docker, stack=timeline.stack.name, log=log, report=self.report)
            chosen = images.bring(config, written, work=run.work, more=python_image())
            journal.note("images", images=chosen, docker=docker.engine, compose=docker.compose)
            live = self._start(Start(timeline=timeline, run=run, journal=journal, docker=docker), config, chosen)
            try:
                yield live
            finally:
                depart(live, run, journal)

    def _start(self, start: Start, config: Mapping[str, Any], images: Mapping[str, str]) -> ComposeStack:
        for last_try in (False, True):
            live = start.prepare(config, images)
            start.run.guard.needed = True
            try:
                start.up(live)
            except BaseException as error:
                taken = isinstance(error, StackError) and any(sign in str(error) for sign in _TAKEN)
                if last_try or not taken:  # else another process was quicker on one of our ports: choose others
                    depart(live, start.run, start.journal)
                    raise
                live.down()
                host_resources.take_away(start.run.work)
                start.journal.note("error", message=str(error))
                continue
            return live
        raise AssertionError("the last try either returns or raises")


@dataclass(frozen=True, kw_only=True)
class Start:
    """One run about to be brought up."""

    timeline: Timeline
    run: Run
    journal: Journal
    docker: Docker

    @property
    def file(self) -> Path:
        """The compose file of the run."""
        return self.run.work / "compose.json"

    def prepare(self, config: Mapping[str, Any], images: Mapping[str, str]) -> ComposeStack:
        """Choose ports, render, and write the run's compose file and engine.json; nothing is started."""
        places = self._places(config)
        inside = ContainerPlaces.of(places, readers(config, places))
        render(inside)
        keep_copy(places.config, self.run.folder / "config", places.paths())
        copy_code(self.run.work)
        user = "0:0" if self.docker.rootless else f"{os.getuid()}:{os.getgid()}"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        transform = Transform(
            places=places,
            inside=inside,
            images=images,
            python_image=python_image(),
            user=user,
            checked_once=health_checks.able(self.docker.engine),
            most_files=None if hard == resource.RLIM_INFINITY else hard,
        )
        content = transform.apply(config)
        disks = places_of_disks(Extras.of(self.timeline), places)
        written = self._written(transform.project) | {"disks": {name: str(place) for name, place in disks.items()}}
        host_resources.write_down(self.run.work, mounts=list(disks.values()), written=written)
        self.file.write_text(json.dumps(content, indent=1), encoding="utf-8")
        return ComposeStack(places=places, run=self.run, journal=self.journal, written=written)

    def make_places(self, places: Places) -> None:
        """Mount the disks that the plan needs, then make the folders that containers write into, some on the disks.

        engine.json names the mounts already: whoever takes the run down takes them away.
        """
        extras = Extras.of(self.timeline)
        disks = places_of_disks(extras, places)
        mount_all(disks, extras, places)
        for place in disks.values():
            place.chmod(0o777)
        make_folders(json.loads(self.file.read_text(encoding="utf-8")), self.run.work)
        for role in places.ports:
            for folder in places.stack.roles[role].compose.folders:
                made = Path(places.fill(folder, role))
                made.mkdir(parents=True, exist_ok=True)
                made.chmod(0o777)

    def _written(self, project: str) -> dict[str, Any]:
        """What taking it down needs, by whoever does."""
        return {
            "engine": "compose",
            "run_id": self.run.id,
            "project": project,
            "label": f"{LABEL}={self.run.id}",
            "docker_host": self.docker.host,
            "cli": self.docker.cli,
            "handles": sorted(handles(self.timeline.stack, near=self.docker.near)),
            "compose_file": str(self.file),
            "image": python_image(),
            "work": str(self.run.work),
            "logs": str(self.run.folder / "stack-logs"),
        }

    def _places(self, config: Mapping[str, Any]) -> Places:
        stack = self.timeline.stack
        running = [role for role in stack.roles if role in config["services"] or role == PAGER]
        if stack.payload.role not in running:
            raise StackError(
                f"The compose file has no service {stack.payload.role!r} in the profiles of the run; "
                f"it has {', '.join(config['services'])}.",
                hint="Name services as stack.yaml names roles.",
            )
        names = [(role, port) for role in running for port in stack.roles[role].ports]
        edges = proxied(self.timeline)
        chosen = choose_ports(len(names) + len(edges) + 1)
        ports: dict[str, dict[str, int]] = {role: {} for role in running}
        for (role, port), number in zip(names, chosen, strict=False):
            ports[role][port] = number
        return Places(
            stack=stack,
            work=self.run.work,
            run_id=self.run.id,
            speed=self.timeline.speed,
            ports=ports,
            edges=dict(zip(edges, chosen[len(names) :], strict=False)),
            proxy_control=chosen[-1],
        )

    def up(self, live: ComposeStack) -> None:
        """Make the places, start everything in the order of the compose file, and wait until every role is healthy."""
        began = self.run.clock.now()
        self.make_places(live.places)
        argv = ["compose", "-p", self.run.id, "-f", str(self.file), "up", "-d", "--no-build", "--remove-orphans"]
        log = self.run.folder / "stack-logs" / "compose.log"
        try:
            self.docker.run(argv, within_s=UP_S, log=log)
        except CliFailed as failed:
            live.take_over(all_of_them=False)
            if dead := live.died():
                raise RoleDied("\n".join(dead.values()), hint="See stack-logs.") from None
            raise StackError(failed.message, hint=f"See {log}.") from None
        live.take_over()
        live.write_down()
        live.wait_for_all()
        self.journal.note("container_clock", **clock_offset(self.docker.host))
        self.journal.note("stack_up", took_s=round(self.run.clock.now() - began, 3))


def _carrying(docker: Docker, run: Run) -> Docker:
    """The same, whose commands carry the run id, so that they end with the run."""
    from dataclasses import replace

    return replace(docker, environment={**docker.environment, RUN_ID: run.id})
