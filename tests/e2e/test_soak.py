"""Long proofs, outside of CI: drills killed at random moments leave nothing behind."""

from __future__ import annotations

import random
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.test_ways_out import drill, nothing_left, run_folder, until

pytestmark = pytest.mark.soak
SEED = 2026


def listening(ports: list[int]) -> list[int]:
    """Return those of the loopback ports on which somebody still accepts connections."""
    found = []
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def ports_of(run_id: str) -> list[int]:
    """Return the loopback ports that the processes of a run listen on now."""
    import psutil

    from tests.e2e.drills import carriers

    mine = set(carriers(run_id))
    return [c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in mine]


def moments(count: int) -> list[float]:
    """Return seeded moments between the start of a drill and its end, in wall seconds."""
    draw = random.Random(SEED)
    return [round(draw.uniform(0.2, 50.0), 1) for _ in range(count)]


KILLS = [(signal.SIGINT, at) for at in moments(20)] + [(signal.SIGKILL, at) for at in moments(10)]


@pytest.mark.parametrize(("number", "at_s"), KILLS, ids=[f"{number.name}-{at}" for number, at in KILLS])
def test_nothing_is_left_ten_seconds_after_a_signal(tmp_path: Path, number: signal.Signals, at_s: float) -> None:
    process = drill(tmp_path)
    folder = run_folder(tmp_path)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < at_s:
        time.sleep(0.1)
    ports = ports_of(folder.name)
    process.send_signal(number)
    process.communicate(timeout=30)
    nothing_left(folder.name, 10)
    until(lambda: not listening(ports), 10, f"the ports {listening(ports)} to close")  # a large process dies slowly
