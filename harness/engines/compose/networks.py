"""Takes a role's container off its networks, and puts it back under the names that it had."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin.harness.engines.compose.container import Container
from tocsin.harness.engines.compose.docker_sdk import docker_errors


def networks_of(container: Container) -> dict[str, list[str]]:
    """Return network -> the names under which the container is found there."""
    networks = {}
    for name, endpoint in (container.inspect()["NetworkSettings"]["Networks"] or {}).items():
        aliases = (endpoint or {}).get("Aliases") or ()
        networks[name] = [alias for alias in aliases if not container.id.startswith(alias)]
    return networks


def disconnect(container: Container, before: Path) -> None:
    """Take it off every network; they are written to the file `before` first, unless that is there already."""
    networks = networks_of(container)
    if not before.exists():
        before.write_text(json.dumps(networks), encoding="utf-8")
    for name in networks:
        with docker_errors(f"take {container.name} off network {name}"):
            container.api.disconnect_container_from_network(container.id, name, force=True)


def reconnect(container: Container, before: Path) -> None:
    """Put it back on every network in the file `before`; does nothing where that was never written."""
    if not before.exists():
        return
    present = networks_of(container)
    for name, aliases in json.loads(before.read_text(encoding="utf-8")).items():
        if name not in present:
            with docker_errors(f"put {container.name} on network {name}"):
                container.api.connect_container_to_network(container.id, name, aliases=aliases)
    before.unlink()
