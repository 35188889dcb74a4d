"""Makes the compose file of one run from the stack's own; a pure function, nothing is started.

Every service is labelled, never restarts by itself, publishes only the ports that Tocsin chose on loopback, and reads
the rendered copies of the stack's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.harness.core.clock import format_duration, parse_duration
from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.compose_validation import (
    ComposeDict,
    ComposeObject,
    mounts,
    pairs,
    published,
    refusals,
    section,
)
from tocsin.harness.engines.compose.container_places import (
    PROXY,
    ContainerPlaces,
    redirected,
    redirected_volumes,
)
from tocsin.harness.engines.compose.removal import LABEL
from tocsin.harness.engines.compose.sidecar_containers import CODE, pager, proxies
from tocsin.harness.engines.render.stack_files import PAGER

PUBLISHING = "tocsin"
"""The network that publishes ports of services which are on internal networks only."""
_DROPPED = ("build", "container_name", "ports", "profiles", "develop", "scale", "links", "external_links")
_LOGGING = {"driver": "json-file", "options": {"max-size": "20m", "max-file": "2"}}
START_INTERVAL_S, INTERVAL_S = 0.5, 86_400.0
_SINCE = 25
"""The first version of the Docker engine that knows `start_interval`."""
_DEFAULT = {"interval": "30s", "retries": 3, "start_period": "0s"}  # Docker's own


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What a run changes in a stack's compose file.

    `images` is service -> image; `user` runs the containers that Tocsin adds. `checked_once`: health checks end once
    they succeed. `most_files`: the limit of open files here, which a container's cannot exceed.
    `places` is the view of this machine, `inside` that of the containers.
    """

    places: Places
    inside: ContainerPlaces
    images: Mapping[str, str] = field(default_factory=dict)
    python_image: str = "python"
    user: str = "65534:65534"
    most_files: int | None = None
    checked_once: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """What marks all that belongs to the run."""
        return {LABEL: self.places.run_id}

    def apply(self, config: ComposeObject) -> ComposeDict:
        """Return the run's compose file; StackError names everything that a drill must not do."""
        if refused := refusals(config):
            hint = "Leave it out."
            raise StackError("The compose file asks for what a drill must not do: " + " ".join(refused), hint=hint)
        networks = self._own(section(config, "networks") or {"default": {}})
        services = self._services(config, networks) | self._helpers(networks)
        if any(PUBLISHING in (service.get("networks") or ()) for service in services.values()):
            networks[PUBLISHING] = {"labels": self.labels}
        run_file = {"name": self.places.run_id, "services": services, "networks": networks}
        used = {mount.get("source") for mount in mounts(run_file) if mount.get("type") == "volume"}
        volumes = {name: volume for name, volume in section(config, "volumes").items() if name in used}
        run_file["volumes"] = self._own(volumes)
        for kind in ("configs", "secrets"):
            if config.get(kind):
                run_file[kind] = {name: self._file(content) for name, content in section(config, kind).items()}
        return run_file

    def _services(self, config: ComposeObject, networks: ComposeObject) -> ComposeDict:
        volumes = redirected_volumes(config, self.places)
        services = section(config, "services").items()
        return {name: self._service(name, service, networks, volumes) for name, service in services if name != PAGER}

    def _helpers(self, networks: ComposeObject) -> ComposeDict:
        """Return the services that Tocsin adds: the pager and the proxies, as far as the run needs them."""
        helpers = {}
        if PAGER in self.places.ports:
            service = pager(self.places, self.python_image, self.user)
            helpers[PAGER] = self._helper({**service, "ports": self._published(PAGER)}, networks)
        if self.places.edges:
            helpers[PROXY] = self._helper(proxies(self.places, self.python_image, self.user), networks)
        return helpers

    def _helper(self, service: ComposeObject, networks: ComposeObject) -> ComposeDict:
        code = {"type": "bind", "source": str(self.places.work / CODE), "target": f"/{CODE}", "read_only": True}
        return {
            **service,
            "volumes": [code, *service.get("volumes", ())],
            "networks": dict.fromkeys(networks) or None,
            "labels": self.labels,
            "logging": _LOGGING,
        }

    def _own(self, declared: Mapping[str, ComposeObject]) -> ComposeDict:
        """Return networks or volumes as this project's own: labelled, and named by Compose after the project."""
        return {name: {**_without_name(content), "labels": self.labels} for name, content in declared.items()}

    def _file(self, content: ComposeObject) -> ComposeDict:
        kept = _without_name(content)
        if "file" in kept:
            mount = {"type": "bind", "source": kept["file"], "target": ""}
            kept["file"] = redirected(mount, self.places, {})["source"]
        return kept

    def _service(
        self, name: str, service: ComposeObject, networks: ComposeObject, volumes: dict[str, str]
    ) -> ComposeDict:
        changed = {key: value for key, value in service.items() if key not in _DROPPED}
        changed |= {
            "image": self.images.get(name, service.get("image")),
            "pull_policy": "never",
            "restart": "no",
            "labels": {**pairs(service.get("labels")), **self.labels},
            "logging": _LOGGING,
        }
        if self.checked_once and service.get("healthcheck"):
            changed["healthcheck"] = only_until_healthy(service["healthcheck"])
        if deploy := service.get("deploy"):
            changed["deploy"] = {key: value for key, value in deploy.items() if key == "resources"}
        if (ulimits := service.get("ulimits")) and self.most_files is not None:
            changed["ulimits"] = {**ulimits, **_capped(ulimits.get("nofile"), self.most_files)}
        if service.get("volumes"):
            changed["volumes"] = [redirected(mount, self.places, volumes) for mount in service["volumes"]]
        if depends := service.get("depends_on"):
            changed["depends_on"] = {other: how for other, how in depends.items() if other != PAGER}
        if name in self.places.ports:
            changed |= self._role(name, service, networks)
        return changed

    def _role(self, name: str, service: ComposeObject, networks: ComposeObject) -> ComposeDict:
        """Return what a service that is a role gets besides: timers, ports, a network that publishes, arguments."""
        start = self.places.stack.roles[name].compose
        timers = self.places.stack.timers.get(name, {})
        divided = {variable: f"{seconds / self.places.speed:.6g}" for variable, seconds in timers.items()}
        own = {variable: self.inside.fill(text, name) for variable, text in start.env.items()}
        role: ComposeDict = {
            "environment": {**pairs(service.get("environment")), **divided, **own},
            "ports": self._published(name),
        }
        joined = service.get("networks") or {"default": None}
        if all(networks.get(network, {}).get("internal") for network in joined):
            role["networks"] = {**joined, PUBLISHING: None}
        if start.args:
            args = [self.inside.fill(text, name) for text in start.args]
            role["command"] = with_args(_command(name, service), args)
        return role

    def _published(self, name: str) -> list[dict[str, object]]:
        declared = self.places.stack.roles[name].ports
        numbers = self.places.ports[name]
        return [published(number, declared[port]) for port, number in numbers.items() if port in declared]


def _without_name(content: ComposeObject) -> ComposeDict:
    return {key: value for key, value in content.items() if key != "name"}


def _command(name: str, service: ComposeObject) -> str | list[str]:
    """Return a service's command; StackError if it has none that arguments can be added to."""
    command: str | list[str] | None = service.get("command")
    if not command:
        message = f"stack.yaml gives role {name!r} further args, but its service names no command to add them to."
        raise StackError(message, hint="Spell the command out in the compose file.")
    return command


def with_args(command: str | list[str], args: list[str]) -> list[str]:
    """Return a command with more arguments; a flag `--name=value` replaces the command's own of that name."""
    parts = command.split() if isinstance(command, str) else [str(part) for part in command]
    replaced = {arg.partition("=")[0] for arg in args if arg.startswith("--")}
    return [part for part in parts if part.partition("=")[0] not in replaced] + args


def _capped(files: object, most: int) -> ComposeDict:
    """Return the limit of open files of a service, none of its values above `most`; empty for None."""
    if isinstance(files, dict):
        return {"nofile": {name: min(int(value), most) for name, value in files.items()}}
    return {} if files is None else {"nofile": min(int(str(files)), most)}


def make_folders(compose: ComposeObject, work: Path) -> None:
    """Make the folders below `work` that containers of any user write into."""
    for mount in mounts(compose):
        source = Path(str(mount.get("source", "")))
        if mount.get("type") == "bind" and source.is_relative_to(work) and not source.exists():
            source.mkdir(parents=True)
            source.chmod(0o777)


def knows_start_interval(version: str) -> bool:
    """Return whether a Docker engine of this version knows `start_interval`."""
    major = version.partition(".")[0]
    return major.isdigit() and int(major) >= _SINCE


def only_until_healthy(check: ComposeObject) -> ComposeDict:
    """Return a health check that runs often until it succeeds or its time is over, and then once a day.

    A check uses the container's CPU and memory: those of a whole stack would disturb what is measured, and one in a
    container short of memory would end it. Its time stays: the start period, and as many intervals as retries.
    """
    if check.get("disable") or "test" not in check:
        return dict(check)
    settings = {**_DEFAULT, **check}
    interval_s = parse_duration(str(settings["interval"]))
    time_s = parse_duration(str(settings["start_period"])) + interval_s * int(settings["retries"])
    return {
        **check,
        "start_period": format_duration(time_s),
        "start_interval": format_duration(min(interval_s, START_INTERVAL_S)),
        "interval": format_duration(max(interval_s, INTERVAL_S)),
        "retries": 1,
    }
