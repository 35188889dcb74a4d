"""The edges of a run, and the control port that sets their conditions."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tocsin.harness.sidecars.proxy.conditions import Conditions
from tocsin.harness.sidecars.proxy.relay import Link

_LONGEST_LINE = 65_536


@dataclass
class Edge:
    """One edge: where it listens, whom it calls, its conditions, and what went through."""

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
        """Take new conditions for open connections and those to come."""
        self.conditions = conditions
        if conditions.mode == "refuse":
            await self.shut()
        else:
            await self.listen()
        for link in tuple(self.links):
            if conditions.mode == "pass":
                link.release()
            else:
                link.abort(reset=True)

    async def listen(self) -> None:
        """Listen, unless it does."""
        if self.server is None:
            loop = asyncio.get_running_loop()
            self.server = await loop.create_server(lambda: Link(self).caller, self.host, self.port)

    async def shut(self) -> None:
        """Stop listening."""
        if self.server is not None:
            self.server.close()
            self.server = None

    def state(self) -> dict[str, Any]:
        """Return conditions and counters, for JSON."""
        return {
            "edge": self.name,
            "conditions": asdict(self.conditions),
            "connections": self.connections,
            "open": len(self.links),
            "bytes": dict(self.bytes),
        }


class Control(asyncio.Protocol):
    """The control port: one JSON line in, one out."""

    def __init__(self, edges: dict[str, Edge]) -> None:
        self._edges, self._line = edges, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a caller."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the line is whole."""
        self._line += data
        if b"\n" in self._line or len(self._line) > _LONGEST_LINE:
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        try:
            said = await obey(self._edges, json.loads(self._line))
        except (ValueError, TypeError, KeyError, OSError) as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        self._transport.write(json.dumps(said).encode() + b"\n")
        self._transport.close()


async def obey(edges: dict[str, Edge], said: dict[str, Any]) -> dict[str, Any]:
    """Do what one line of the control port asks for; KeyError: an unknown edge, ValueError: unknown conditions."""
    name = said.get("edge")
    if name not in edges:
        raise KeyError(f"{name!r} is not one of {', '.join(edges)}")
    if "set" in said:
        strange = set(said["set"]) - {one.name for one in fields(Conditions)}
        if strange:
            raise ValueError(f"unknown conditions {', '.join(sorted(strange))}")
        await edges[name].apply(Conditions(**said["set"]))
    return edges[name].state()


def tell(address: str, edge: str, conditions: dict[str, Any] | None = None, *, within_s: float = 5.0) -> dict[str, Any]:
    """Set an edge's conditions (None: only ask); return its state. OSError if the proxy does not answer or refuses."""
    host, _, port = address.rpartition(":")
    line = {"edge": edge} if conditions is None else {"edge": edge, "set": conditions}
    with socket.create_connection((host, int(port)), timeout=within_s) as call:
        call.sendall(json.dumps(line).encode() + b"\n")
        answer = b"".join(iter(lambda: call.recv(65_536), b""))
    state = json.loads(answer or b'{"error": "no answer"}')
    if "error" in state:
        raise OSError(f"the proxy of {edge} at {address} says {state['error']}")
    return dict(state)
