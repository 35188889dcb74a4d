"""The compose file of one run, from what `docker compose config` says of the stack's own: pure, nothing is started.

Every service is labelled, never restarts by itself, publishes only what Tocsin chose on loopback, and reads the
rendered copies. What a drill must not do to the machine or to others is refused, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tocsin.harness.core.errors import StackError
from tocsin.harness.engines.common.placeholders import Places
from tocsin.harness.engines.compose.container_places import PROXY, ContainerPlaces
from tocsin.harness.engines.compose.health_checks import once
from tocsin.harness.engines.compose.helper_containers import CODE, pager, proxies
from tocsin.harness.engines.compose.mounts import led, led_volumes
from tocsin.harness.engines.compose.take_down import LABEL
from tocsin.harness.engines.render.stack_files import PAGER

OUTSIDE = "tocsin"
"""The network that publishes ports of services which are on internal networks only."""
_DROPPED = ("build", "container_name", "ports", "profiles", "develop", "scale", "links", "external_links")
_HOSTS_OWN = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
_LOGGING = {"driver": "json-file", "options": {"max-size": "20m", "max-file": "2"}}


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What a run adds to a stack's compose file.

    `images` is service -> the image it runs, `user` is whom our own containers run as.
    `checked_once`: the engine lets health checks cease once they succeeded.
    `most_files` is how many open files a process of this machine may have at most: a container cannot have more.
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
    def project(self) -> str:
        """The compose project: the run id."""
        return self.places.run_id

    @property
    def labels(self) -> dict[str, str]:
        """What marks all that belongs to the run."""
        return {LABEL: self.places.run_id}

    def apply(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run's compose file; StackError with everything that a drill must not do."""
        if refused := refusals(config):
            raise StackError(
                "The compose file asks for what a drill must not do: " + " ".join(refused), hint="Leave it out."
            )
        volumes = led_volumes(config, self.places)
        networks = self._own(config.get("networks") or {"default": {}})
        services = {
            name: self._service(name, service, networks, volumes)
            for name, service in (config.get("services") or {}).items()
            if name != PAGER
        }
        everywhere = dict.fromkeys(networks)
        if PAGER in self.places.ports:
            services[PAGER] = self._helper(pager(self.places, self.python_image, self.user), PAGER, everywhere)
        if self.places.edges:
            services[PROXY] = self._helper(proxies(self.places, self.python_image, self.user), PROXY, everywhere)
        if any(OUTSIDE in (service.get("networks") or ()) for service in services.values()):
            networks[OUTSIDE] = {"labels": self.labels}
        used = {mount["source"] for service in services.values() for mount in service.get("volumes") or ()
                if mount.get("type") == "volume" and mount.get("source")}  # fmt: skip
        kept = {name: volume for name, volume in (config.get("volumes") or {}).items() if name in used}
        files = {kind: self._files(config[kind]) for kind in ("configs", "secrets") if config.get(kind)}
        return {"name": self.project, "services": services, "networks": networks, "volumes": self._own(kept), **files}

    def _own(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        """Networks or volumes as this project's own: labelled, named by Compose after the project."""
        return {
            name: {**{key: value for key, value in (one or {}).items() if key != "name"}, "labels": self.labels}
            for name, one in declared.items()
        }

    def _files(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        for name, one in declared.items():
            kept = {key: value for key, value in one.items() if key != "name"}
            if "file" in kept:
                mount = led({"type": "bind", "source": kept["file"], "target": ""}, self.places, {})
                kept["file"] = mount["source"]
            made[name] = kept
        return made

    def _service(
        self, name: str, service: Mapping[str, Any], networks: Mapping[str, Any], volumes: Mapping[str, str]
    ) -> dict[str, Any]:
        made = {key: value for key, value in service.items() if key not in _DROPPED}
        made |= {
            "image": self.images.get(name, service.get("image")),
            "pull_policy": "never",
            "restart": "no",
            "labels": {**_pairs(service.get("labels")), **self.labels},
            "logging": _LOGGING,
        }
        if self.checked_once and service.get("healthcheck"):
            made["healthcheck"] = once(service["healthcheck"])
        if deploy := dict(service.get("deploy") or {}):
            made["deploy"] = {key: value for key, value in deploy.items() if key in ("resources",)}
        if service.get("ulimits") and self.most_files is not None:
            made["ulimits"] = {**service["ulimits"], **_capped(service["ulimits"].get("nofile"), self.most_files)}
        if service.get("volumes"):
            made["volumes"] = [led(mount, self.places, volumes) for mount in service["volumes"]]
        if depends := service.get("depends_on"):
            made["depends_on"] = {other: how for other, how in depends.items() if other != PAGER}
        if name in self.places.ports:
            made |= self._role(name, service, networks)
        return made

    def _role(self, name: str, service: Mapping[str, Any], networks: Mapping[str, Any]) -> dict[str, Any]:
        role, fill = self.places.stack.roles[name], self.inside.fill
        timers = self.places.stack.timers.get(name, {})
        divided = {variable: f"{seconds / self.places.speed:.6g}" for variable, seconds in timers.items()}
        own = {variable: fill(text, name) for variable, text in role.compose.env.items()}
        more: dict[str, Any] = {
            "environment": {**_pairs(service.get("environment")), **divided, **own},
            "ports": self._published(name),
        }
        joined = service.get("networks") or {"default": None}
        if all((networks.get(network) or {}).get("internal") for network in joined):
            more["networks"] = {**dict(joined), OUTSIDE: None}
        if role.compose.args:
            command = service.get("command")
            if not command:
                raise StackError(
                    f"stack.yaml gives role {name!r} further args, but its service names no command to add them to.",
                    hint="Spell the command out in the compose file.",
                )
            more["command"] = with_args(command, [fill(text, name) for text in role.compose.args])
        return more

    def _published(self, name: str) -> list[dict[str, Any]]:
        declared = self.places.stack.roles[name].ports
        return [
            published(number, declared[port]) for port, number in self.places.ports[name].items() if port in declared
        ]

    def _helper(self, service: dict[str, Any], name: str, networks: Mapping[str, Any]) -> dict[str, Any]:
        code = {"type": "bind", "source": str(self.places.work / CODE), "target": f"/{CODE}", "read_only": True}
        ports = self._published(name) if name in self.places.ports else service["ports"]
        return {
            **service,
            "ports": ports,
            "volumes": [code, *service.get("volumes", ())],
            "networks": {network: None for network in networks} if networks else None,
            "labels": self.labels,
            "logging": _LOGGING,
        }


def published(number: int, target: int) -> dict[str, Any]:
    """Return one published port: `target` of the container at `number` of 127.0.0.1."""
    return {"target": target, "published": str(number), "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "ingress"}


def refusals(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each thing in a compose file that would reach beyond the run."""
    found = []
    for name, service in (config.get("services") or {}).items():
        where = f"Service {name}"
        if service.get("privileged"):
            found.append(f"{where} is privileged.")
        found += [
            f"{where} has {key}: {service[key]}."
            for key in _HOSTS_OWN
            if str(service.get(key, "")).startswith(("host", "container:", "service:"))
        ]
        if any(str(mount.get("source", "")).endswith("docker.sock") for mount in service.get("volumes") or ()):
            found.append(f"{where} mounts the engine's socket.")
        copies = (service.get("deploy") or {}).get("replicas", service.get("scale", 1))
        if copies not in (None, 1):
            found.append(f"{where} has {copies} replicas; a role is one container.")
    for kind in ("networks", "volumes", "configs", "secrets"):
        for name, one in (config.get(kind) or {}).items():
            if (one or {}).get("external"):
                found.append(f"{kind.capitalize()[:-1]} {name} is external, so it is others' too.")
    return found


def with_args(command: Any, args: list[str]) -> list[str]:
    """Return a command with more arguments; a flag `--name=value` replaces what the command says of that flag."""
    said = command.split() if isinstance(command, str) else [str(part) for part in command]
    named = {arg.partition("=")[0] for arg in args if arg.startswith("--")}
    return [part for part in said if part.partition("=")[0] not in named] + args


def _capped(files: Any, most: int) -> dict[str, Any]:
    """Return the limit of open files of a service, no part of it above `most`; nothing for a service without one."""
    if isinstance(files, dict):
        return {"nofile": {name: min(int(value), most) for name, value in files.items()}}
    return {"nofile": min(int(files), most)} if files is not None else {}


def _pairs(given: Any) -> dict[str, Any]:
    """Return environment or labels as a mapping, whichever of the two forms they were written in."""
    if isinstance(given, list):
        return {name: value for name, _, value in (str(line).partition("=") for line in given)}
    return dict(given or {})


def make_folders(compose: Mapping[str, Any], work: Path) -> None:
    """Make the folders below `work` that containers of any user write into."""
    for service in compose["services"].values():
        for mount in service.get("volumes") or ():
            source = Path(str(mount.get("source", "")))
            if mount.get("type") == "bind" and source.is_relative_to(work) and not source.exists():
                source.mkdir(parents=True)
                source.chmod(0o777)
