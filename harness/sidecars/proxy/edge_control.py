"""The edges of a run, and the control port that sets their conditions."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from tocsin.harness.sidecars.proxy.conditions import Conditions
from tocsin.harness.sidecars.proxy.relay import Link


@dataclass
class Edge:
    """One edge: where it listens, which role it calls, its conditions, its counters and its open connections."""

    name: str
    port: int
    target: tuple[str, int]
    host: str = "127.0.0.1"
    conditions: Conditions = Conditions()
    connections: int = 0
    bytes: dict[str, int] = field(default_factory=lambda: {"to": 0, "from": 0})
    links: set[Link] = field(default_factory=set)
    server: asyncio.Server | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def apply(self, conditions: Conditions) -> None:
        """Set the conditions of open and of future connections."""
        self.conditions = conditions
        if conditions.mode == "refuse":
            if self.server is not None:
                self.server.close()
                self.server = None
        else:
            await self.listen()
        for link in tuple(self.links):
            if conditions.mode == "pass":
                link.release()
            else:
                link.abort(reset=True)

    async def listen(self) -> None:
        """Listen, unless it does already; OSError if the port is taken."""
        if self.server is None:
            loop = asyncio.get_running_loop()
            self.server = await loop.create_server(lambda: Link(self).caller, self.host, self.port)

    def state(self) -> dict[str, object]:
        """Return conditions and counters, for JSON."""
        return {
            "edge": self.name,
            "conditions": asdict(self.conditions),
            "connections": self.connections,
            "open": len(self.links),
            "bytes": dict(self.bytes),
        }


async def serve_control(edges: dict[str, Edge], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a connection of the control port: one JSON line in, one out."""
    try:
        answer = await execute(edges, json.loads(await reader.readline()))
    except (ValueError, TypeError, KeyError, OSError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    writer.write(json.dumps(answer).encode() + b"\n")
    writer.close()


async def execute(edges: dict[str, Edge], command: object) -> dict[str, object]:
    """Execute a command of the control port and return the edge's state.

    KeyError for an unknown edge, ValueError for unknown conditions, TypeError for anything that is no command.
    """
    if not isinstance(command, dict):
        raise TypeError(f"expected an object, got {command!r}")
    name = command.get("edge")
    if name not in edges:
        raise KeyError(f"{name!r} is not one of {', '.join(edges)}")
    if "set" in command:
        unknown = set(command["set"]) - {known.name for known in fields(Conditions)}
        if unknown:
            raise ValueError(f"unknown conditions {', '.join(sorted(unknown))}")
        await edges[name].apply(Conditions(**command["set"]))
    return edges[name].state()


def call_control(
    address: str, edge: str, conditions: Mapping[str, object] | None = None, *, within_s: float = 5.0
) -> dict[str, object]:
    """Set an edge's conditions (None: change nothing) and return its state.

    OSError if the proxy does not answer or refuses.
    """
    command: dict[str, object] = {"edge": edge}
    if conditions is not None:
        command["set"] = conditions
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=within_s) as connection:
        connection.sendall(json.dumps(command).encode() + b"\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    state = json.loads(answer or b'{"error": "no answer"}')
    if "error" in state:
        raise OSError(f"the proxy of {edge} at {address} says {state['error']}")
    return dict(state)
