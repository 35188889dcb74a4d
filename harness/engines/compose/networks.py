"""Takes a role's container off its networks, and puts it back under the names that it had."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin.harness.engines.compose.container import Container, telling


def joined(container: Container) -> dict[str, list[str]]:
    """Return network -> the names under which the container is found there, as the engine tells."""
    with telling(f"inspect {container.name}"):
        found = container.api.inspect_container(container.id)["NetworkSettings"]["Networks"] or {}
    return {
        name: [alias for alias in (one or {}).get("Aliases") or () if not container.id.startswith(alias)]
        for name, one in found.items()
    }


def leave(container: Container, before: Path) -> None:
    """Take it off every network; which they were is written to `before` first, unless it is written already."""
    networks = joined(container)
    if not before.exists():
        before.write_text(json.dumps(networks), encoding="utf-8")
    for name in networks:
        with telling(f"take {container.name} off network {name}"):
            container.api.disconnect_container_from_network(container.id, name, force=True)


def rejoin(container: Container, before: Path) -> None:
    """Put it on every network of `before` again; nothing where that was never written."""
    if not before.exists():
        return
    present = joined(container)
    for name, aliases in json.loads(before.read_text(encoding="utf-8")).items():
        if name not in present:
            with telling(f"put {container.name} on network {name}"):
                container.api.connect_container_to_network(container.id, name, aliases=aliases)
    before.unlink()
