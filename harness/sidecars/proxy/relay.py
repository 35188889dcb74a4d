"""One proxied connection: what a caller and a role say to each other goes on at once, or as the conditions tell."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from typing import Protocol

from tocsin.harness.sidecars.proxy.conditions import Conditions, Way

_BUFFERED = 1 << 20
"""Bytes that may wait in one direction of a connection before its sender is told to wait."""
_NOW_RESET = struct.pack("ii", 1, 0)
_BANDWIDTH_STEPS_PER_S = 50


class EdgeOf(Protocol):
    """What a link needs of its edge."""

    target: tuple[str, int]
    conditions: Conditions
    connections: int
    bytes: dict[str, int]
    links: set[Link]
    chance: random.Random


class Link:
    """One connection of a caller, and the one made to the role for it."""

    def __init__(self, edge: EdgeOf) -> None:
        self.edge = edge
        self.caller = Side(self, "to")
        self.role = Side(self, "from")
        self.caller.peer, self.role.peer = self.role, self.caller

    def opened(self) -> None:
        """Call the role for a caller that has just come."""
        self.edge.connections += 1
        self.edge.links.add(self)
        if self.edge.conditions.mode == "reset":
            self.abort(reset=True)
            return
        self._calling = asyncio.get_running_loop().create_task(self._call())

    async def _call(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.role, *self.edge.target)
        except OSError:
            self.abort(reset=True)
            return
        if self in self.edge.links:
            self.caller.flush()
        else:  # given up meanwhile
            self.abort(reset=True)

    def release(self) -> None:
        """Look again at what waits: conditions have changed."""
        for side in (self.caller, self.role):
            side.flush()

    def abort(self, *, reset: bool = False) -> None:
        """End both connections, with a reset if asked for."""
        self.edge.links.discard(self)
        for side in (self.caller, self.role):
            side.abort(reset=reset)


class Side(asyncio.Protocol):
    """One end of a link: what it reads goes to its peer, at once or when its conditions allow."""

    peer: Side

    def __init__(self, link: Link, way: Way) -> None:
        self.link, self.way = link, way
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._free_at = 0.0
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._full = self._blocked = False
        self._passed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection that is open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self is self.link.caller:
            self.link.opened()

    def data_received(self, data: bytes) -> None:
        """Pass on, or keep until it is due."""
        edge = self.link.edge
        edge.bytes[self.way] += len(data)
        if self.peer.transport is not None and not self._waiting and not edge.conditions.delays(self.way):
            self._send(data)
            return
        self._keep(data, edge.conditions)
        if self._bytes > _BUFFERED:
            self._full = True
            self._read_or_not()
        self.flush()

    def _keep(self, data: bytes, told: Conditions) -> None:
        """Put data in the queue, each piece with the time it is due."""
        now = asyncio.get_running_loop().time()
        due = now
        if self.way == "to":
            due += max(told.delay_ms + self.link.edge.chance.uniform(-1, 1) * told.jitter_ms, 0.0) / 1000
        due = max(due, self._free_at)
        step = told.slice_bytes or (
            max(int(told.bytes_per_s / _BANDWIDTH_STEPS_PER_S), 1) if told.bytes_per_s else len(data)
        )
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            due += len(piece) / told.bytes_per_s if told.bytes_per_s else 0.0
            self._waiting.append((due, piece))
            self._bytes += len(piece)
            due += told.slice_ms / 1000 if told.slice_bytes else 0.0
        self._free_at = due

    def flush(self) -> None:
        """Send what is due, and come back for the rest; what was kept for conditions that are over goes at once."""
        told = self.link.edge.conditions
        if told.holds(self.way) or self.peer.transport is None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time() if told.delays(self.way) else float("inf")
        while self._waiting and self._waiting[0][0] <= now:
            piece = self._waiting.popleft()[1]
            self._bytes -= len(piece)
            self._send(piece)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self.flush)
            return
        self._free_at = 0.0
        if self._full:
            self._full = False
            self._read_or_not()
        if self._ended:
            self.peer.finish()

    def _send(self, data: bytes) -> None:
        other, limit = self.peer.transport, self.link.edge.conditions.close_after_bytes
        if other is None or other.is_closing():
            return
        if limit and self.way == "from":
            left = limit - self._passed
            data = data[:left]
            self._passed += len(data)
            other.write(data)
            if self._passed >= limit:
                self.link.edge.links.discard(self.link)
                other.close()
                self.abort()
            return
        other.write(data)

    def eof_received(self) -> bool:
        """Keep the other direction open; the end goes on behind what waits."""
        self._ended = True
        self.flush()
        return True

    def finish(self) -> None:
        """Tell this end that no more comes; close when both directions have ended."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._ended and not self._waiting:
            self.link.edge.links.discard(self.link)
            for side in (self, self.peer):
                if side.transport is not None:
                    side.transport.close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """End the other side: after what waits for it, or with a reset if this one was reset."""
        if error is not None:
            self.link.abort(reset=True)
        elif not self._ended:
            self._ended = True
            self.flush()

    def pause_writing(self) -> None:
        """Let the peer read no more: this end takes no more."""
        self.peer._blocked = True
        self.peer._read_or_not()

    def resume_writing(self) -> None:
        """Let the peer read on."""
        self.peer._blocked = False
        self.peer._read_or_not()

    def _read_or_not(self) -> None:
        if self.transport is None or self.transport.is_closing() or self._ended:
            return
        if self._full or self._blocked:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def abort(self, *, reset: bool = False) -> None:
        """Drop this end and what waits for its peer."""
        self._waiting.clear()
        self._bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.transport is not None:
            if reset:
                with contextlib.suppress(OSError):
                    sock = self.transport.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW_RESET)
            self.transport.abort()
