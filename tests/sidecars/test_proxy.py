from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.sidecars.standing_proxy import ROOT, Standing, command, standing
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.sidecars.proxy.edge_control import call_control


class Server:
    """Takes connections one by one and hands them to the test."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def accept(self) -> socket.socket:
        taken, _ = self.socket.accept()
        taken.settimeout(5)
        return taken


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def module_proxy(server: Server) -> Iterator[Standing]:
    with standing(server.address) as proxy:
        yield proxy


@pytest.fixture
def proxy(module_proxy: Standing) -> Iterator[Standing]:
    yield module_proxy
    module_proxy.set()


@contextmanager
def connected(proxy: Standing, server: Server) -> Iterator[tuple[socket.socket, socket.socket]]:
    host, _, port = proxy.listens.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as caller, server.accept() as role:
        yield caller, role


def read(end: socket.socket, count: int = -1) -> bytes:
    """Read so many bytes, or (-1) to the end."""
    parts = []
    while count and (part := end.recv(count if count > 0 else 65_536)):
        parts.append(part)
        count -= len(part) if count > 0 else 0
    return b"".join(parts)


def silent(end: socket.socket, for_s: float = 0.1) -> bool:
    end.settimeout(for_s)
    try:
        return end.recv(1) == b"never"
    except TimeoutError:
        return True
    finally:
        end.settimeout(5)


def test_everything_passes_unchanged_both_ways_and_so_does_each_end(proxy: Standing, server: Server) -> None:
    there, back = os.urandom(3_000_000), os.urandom(2_000_000)
    with connected(proxy, server) as (caller, role):
        got: dict[str, bytes] = {}
        reader = threading.Thread(target=lambda: got.update(role=read(role)))
        reader.start()
        caller.sendall(there)
        caller.shutdown(socket.SHUT_WR)  # half closed: the answer still comes
        reader.join(5)
        writer = threading.Thread(target=lambda: (role.sendall(back), role.close()))
        writer.start()
        assert hashlib.sha256(read(caller)).digest() == hashlib.sha256(back).digest()
        writer.join(5)
        assert hashlib.sha256(got["role"]).digest() == hashlib.sha256(there).digest()


CONDITIONS: list[tuple[dict[str, Any], float]] = [
    ({"delay_ms": 80}, 0.08),
    ({"delay_ms": 80, "jitter_ms": 40}, 0.04),
    ({"bytes_per_s": 10_000}, 0.1),
    ({"slice_bytes": 100, "slice_ms": 10}, 0.09),
]


@pytest.mark.parametrize(("conditions", "at_least_s"), CONDITIONS)
def test_what_is_slowed_comes_whole_in_order_and_no_sooner(
    conditions: dict[str, Any], at_least_s: float, proxy: Standing, server: Server
) -> None:
    sent = os.urandom(1000)
    with connected(proxy, server) as (caller, role):
        proxy.set(**conditions)
        began = time.monotonic()
        caller.sendall(sent[:500])
        caller.sendall(sent[500:])
        assert read(role, len(sent)) == sent
        assert time.monotonic() - began >= at_least_s


@pytest.mark.parametrize(("way", "there", "back"), [("to", False, True), ("from", True, False), ("both", False, False)])
def test_what_is_held_comes_when_it_is_released(
    way: str, there: bool, back: bool, proxy: Standing, server: Server
) -> None:
    with connected(proxy, server) as (caller, role):
        proxy.set(hold=way)
        caller.sendall(b"question")
        role.sendall(b"answer")
        for end, passes, words in ((role, there, b"question"), (caller, back, b"answer")):
            if passes:
                assert read(end, len(words)) == words
            else:
                assert silent(end)
        proxy.set()
        for end, passed, words in ((role, there, b"question"), (caller, back, b"answer")):
            assert passed or read(end, len(words)) == words


def test_an_end_waits_behind_what_is_held(proxy: Standing, server: Server) -> None:
    with connected(proxy, server) as (caller, role):
        proxy.set(hold="both")
        caller.sendall(b"last words")
        caller.close()
        assert silent(role)
        proxy.set()
        assert read(role) == b"last words"


def refused(proxy: Standing) -> str:
    host, _, port = proxy.listens.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as caller:
            caller.sendall(b"hello")
            return "ended" if caller.recv(1) == b"" else "answered"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionError:
        return "reset"


@pytest.mark.parametrize(("mode", "seen"), [("reset", "reset"), ("refuse", "refused")])
def test_open_connections_are_reset_and_new_ones_find_what_was_asked_for(
    mode: str, seen: str, proxy: Standing, server: Server
) -> None:
    with connected(proxy, server) as (caller, _):
        proxy.set(mode=mode)
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
    assert refused(proxy) == seen
    proxy.set()
    with connected(proxy, server) as (caller, role):
        caller.sendall(b"again")
        assert read(role, 5) == b"again"


def test_a_connection_ends_after_so_many_bytes_of_the_answer(proxy: Standing, server: Server) -> None:
    proxy.set(close_after_bytes=7)
    with connected(proxy, server) as (caller, role):
        role.sendall(b"0123456789")
        assert read(caller) == b"0123456"


def test_a_role_that_does_not_listen_is_a_reset_to_its_caller() -> None:
    (nobody,) = choose_ports(1)
    with standing(f"127.0.0.1:{nobody}") as proxy:
        assert refused(proxy) in ("reset", "ended")


def test_a_reader_that_does_not_read_slows_the_writer_instead_of_filling_memory(
    proxy: Standing, server: Server
) -> None:
    with connected(proxy, server) as (caller, _):
        caller.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 30:
                sent += caller.send(bytes(1 << 20))
        assert sent < 1 << 27


def test_it_counts_and_says_what_holds(proxy: Standing, server: Server) -> None:
    before = proxy.state()
    with connected(proxy, server) as (caller, role):
        caller.sendall(b"12345")
        assert read(role, 5) == b"12345"
        during = proxy.set(delay_ms=5)
    assert during["connections"] == before["connections"] + 1
    assert during["bytes"]["to"] == before["bytes"]["to"] + 5
    assert during["open"] == 1 and during["conditions"]["delay_ms"] == 5


WRONG: list[tuple[Callable[[Standing], Any], str]] = [
    (lambda proxy: proxy.set(nonsense=1), "unknown conditions nonsense"),
    (lambda proxy: call_control(proxy.control, "a -> b"), "'a -> b' is not one of"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_nonsense_on_the_control_port_is_told(wrong: Callable[[Standing], Any], words: str, proxy: Standing) -> None:
    with pytest.raises(OSError, match=words):
        wrong(proxy)


def test_a_taken_port_ends_it_with_a_sentence(server: Server) -> None:
    (control,) = choose_ports(1)
    argv = command(control, int(server.address.rpartition(":")[2]), server.address)
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 1 and "in use" in ended.stderr and "Traceback" not in ended.stderr
