"""Chooses free loopback ports for a run."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

_LOWEST = 12_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def choose_ports(count: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 on which nobody listens now.

    They lie below the range from which the system takes the near ends of outgoing connections. Otherwise such a
    connection could take the port of a killed server before its restart, or connect to itself there.
    """
    held: list[socket.socket] = []
    try:
        for port in _candidates():
            if len(held) == count:
                break
            taken = _bind(port)
            if taken is not None:
                held.append(taken)
        return [int(taken.getsockname()[1]) for taken in held]
    finally:
        for taken in held:
            taken.close()


def _candidates() -> Iterator[int]:
    try:
        lowest_ephemeral = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest_ephemeral = 32_768
    # A generator of its own: whoever seeds the global one must not make two runs choose alike.
    chance = random.SystemRandom()
    if lowest_ephemeral > _LOWEST + 1000:
        for _ in range(2000):
            yield chance.randrange(_LOWEST, lowest_ephemeral)
    while True:
        yield 0


def _bind(port: int) -> socket.socket | None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        taken.close()
        return None
    return taken
