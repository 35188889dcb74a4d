"""Reads a compose file as `docker compose config` prints it, and refuses what a drill must not do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ComposeObject = Mapping[str, Any]
"""An object of a compose file as Compose prints it: foreign JSON."""
ComposeDict = dict[str, Any]
"""An object of the compose file that we write."""
_HOSTS_OWN = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")


def section(config: ComposeObject, name: str) -> dict[str, ComposeObject]:
    """Return a section such as `services` as name -> content; content that is left out is empty."""
    return {key: content or {} for key, content in (config.get(name) or {}).items()}


def mounts(config: ComposeObject) -> list[ComposeObject]:
    """Return the mounts of all services."""
    return [mount for service in section(config, "services").values() for mount in service.get("volumes") or ()]


def pairs(given: object) -> dict[str, object]:
    """Return environment, labels or the like as a mapping, whichever of the two forms they are written in."""
    if isinstance(given, list):
        return {name: value for name, _, value in (str(line).partition("=") for line in given)}
    return dict(given) if isinstance(given, Mapping) else {}


def published(number: int, target: int) -> dict[str, object]:
    """Return one published port: `target` of the container at `number` of 127.0.0.1."""
    return {"target": target, "published": str(number), "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "ingress"}


def refusals(config: ComposeObject) -> list[str]:
    """Return a sentence for each thing in a compose file that would reach beyond the run."""
    sentences = []
    for name, service in section(config, "services").items():
        sentences += [f"Service {name} {refusal}." for refusal in _service_refusals(service)]
    for kind in ("networks", "volumes", "configs", "secrets"):
        for name, content in section(config, kind).items():
            if content.get("external"):
                sentences.append(f"{kind.capitalize()[:-1]} {name} is external, so it is others' too.")
    return sentences


def _service_refusals(service: ComposeObject) -> list[str]:
    refusals = ["is privileged"] if service.get("privileged") else []
    for key in _HOSTS_OWN:
        if str(service.get(key, "")).startswith(("host", "container:", "service:")):
            refusals.append(f"has {key}: {service[key]}")
    if any(str(mount.get("source", "")).endswith("docker.sock") for mount in service.get("volumes") or ()):
        refusals.append("mounts the engine's socket")
    replicas = (service.get("deploy") or {}).get("replicas", service.get("scale", 1))
    if replicas not in (None, 1):
        refusals.append(f"has {replicas} replicas; a role is one container")
    return refusals
