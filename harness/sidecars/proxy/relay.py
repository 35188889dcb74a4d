"""One proxied connection: forwards between a caller and a role, at once or as the conditions say."""

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
"""Bytes that may wait in one direction of a connection before its sender must wait."""
_NO_LINGER = struct.pack("ii", 1, 0)
"""Makes the kernel reset a connection when its socket is closed."""


class EdgeState(Protocol):
    """What a link needs of its edge."""

    target: tuple[str, int]
    conditions: Conditions
    connections: int
    bytes: dict[str, int]
    links: set[Link]
    chance: random.Random


class Link:
    """A connection of a caller, and the one to the role that belongs to it."""

    def __init__(self, edge: EdgeState) -> None:
        self.edge = edge
        self.caller = Side(self, "to")
        self.role = Side(self, "from")
        self.caller.peer, self.role.peer = self.role, self.caller

    def opened(self) -> None:
        """Connect to the role for a caller that has just connected."""
        self.edge.connections += 1
        self.edge.links.add(self)
        if self.edge.conditions.mode == "reset":
            self.abort(reset=True)
            return
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.role, *self.edge.target)
        except OSError:
            self.abort(reset=True)
            return
        if self in self.edge.links:
            self.caller.flush()
        else:  # the caller has gone meanwhile
            self.abort(reset=True)

    def release(self) -> None:
        """Forward what waits, as far as the new conditions allow."""
        for side in (self.caller, self.role):
            side.flush()

    def abort(self, *, reset: bool = False) -> None:
        """End both connections, with a reset if `reset`."""
        self.edge.links.discard(self)
        for side in (self.caller, self.role):
            side.abort(reset=reset)


class Side(asyncio.Protocol):
    """One end of a link: forwards what it reads to its peer, at once or when the conditions allow."""

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
        """Remember the connection; the caller's opens the link."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self is self.link.caller:
            self.link.opened()

    def data_received(self, data: bytes) -> None:
        """Forward at once, or keep until it is due."""
        edge = self.link.edge
        edge.bytes[self.way] += len(data)
        if self.peer.transport is not None and not self._waiting and not edge.conditions.delays(self.way):
            self._send(data)
            return
        self._keep(data, edge.conditions)
        if self._bytes > _BUFFERED:
            self._full = True
            self._pause_or_resume()
        self.flush()

    def _keep(self, data: bytes, conditions: Conditions) -> None:
        """Queue data in pieces, each with the time it is due."""
        due = asyncio.get_running_loop().time()
        if self.way == "to":
            jitter_ms = self.link.edge.chance.uniform(-1, 1) * conditions.jitter_ms
            due += max(conditions.delay_ms + jitter_ms, 0.0) / 1000
        due = max(due, self._free_at)
        step = conditions.piece_bytes(len(data))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            due += conditions.transfer_s(len(piece))
            self._waiting.append((due, piece))
            self._bytes += len(piece)
            if conditions.slice_bytes:
                due += conditions.slice_ms / 1000
        self._free_at = due

    def flush(self) -> None:
        """Send what is due and come back for the rest; send everything when no condition delays it any more."""
        conditions = self.link.edge.conditions
        if conditions.holds(self.way) or self.peer.transport is None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time() if conditions.delays(self.way) else float("inf")
        while self._waiting and self._waiting[0][0] <= now:
            piece = self._waiting.popleft()[1]
            self._bytes -= len(piece)
            self._send(piece)
        self._cancel_timer()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self.flush)
            return
        self._free_at = 0.0
        if self._full:
            self._full = False
            self._pause_or_resume()
        if self._ended:
            self.peer.finish()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, data: bytes) -> None:
        other, limit = self.peer.transport, self.link.edge.conditions.close_after_bytes
        if other is None or other.is_closing():
            return
        if limit and self.way == "from":
            data = data[: limit - self._passed]
            self._passed += len(data)
            other.write(data)
            if self._passed >= limit:
                self.link.edge.links.discard(self.link)
                other.close()
                self.abort()
            return
        other.write(data)

    def eof_received(self) -> bool:
        """Keep the other direction open; the end is forwarded after what waits."""
        self._ended = True
        self.flush()
        return True

    def finish(self) -> None:
        """End the writing to this side; close both sides when both directions have ended."""
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
        """End the other side: after what waits for it, or with a reset if this side was reset."""
        if error is not None:
            self.link.abort(reset=True)
        elif not self._ended:
            self._ended = True
            self.flush()

    def pause_writing(self) -> None:
        """Stop the peer's reading: this side takes no more for now."""
        self.peer._blocked = True
        self.peer._pause_or_resume()

    def resume_writing(self) -> None:
        """Let the peer read again."""
        self.peer._blocked = False
        self.peer._pause_or_resume()

    def _pause_or_resume(self) -> None:
        if self.transport is None or self.transport.is_closing() or self._ended:
            return
        if self._full or self._blocked:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def abort(self, *, reset: bool = False) -> None:
        """Drop this side and what waits for its peer."""
        self._waiting.clear()
        self._bytes = 0
        self._cancel_timer()
        if self.transport is not None:
            if reset:
                with contextlib.suppress(OSError):
                    sock = self.transport.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
