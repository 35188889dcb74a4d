"""Both ways of sending against servers that behave badly: no crash, no hang, and the outcome says what is certain."""

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.traffic.hostile import ALL, OK, Hostile, Server, answering
from tocsin.harness.evidence.requests import OUTCOMES
from tocsin.harness.traffic.clients.keepalive import KeepAlive
from tocsin.harness.traffic.payloads.request_protocol import Form

_DRIVER = Path(__file__).with_name("pool_driver.py")
_TIMEOUT_S = 0.4


def case(name: str, address: str, **more) -> dict:
    usual = {"requests": 3, "timeout_s": _TIMEOUT_S, "users_max": 5, "queue_max": 5}
    return {
        "name": name,
        "address": address,
        **usual,
        "at_once": False,
        "closes": False,
        "body_bytes": 2,
        "stale": False,
        **more,
    }


def through_the_pool(cases: list[dict]) -> dict[str, dict]:
    argv = [sys.executable, "-m", "tests.traffic.pool_driver"]
    done = subprocess.run(argv, input=json.dumps(cases), capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def played():
    """Every hostile server, played at once by one process; a server that was not asked tells nothing."""
    servers = {one.name: Server(one) for one in ALL}
    cases = [case(one.name, servers[one.name].address, requests=one.requests, closes=one.closes) for one in ALL]
    yield through_the_pool(cases), servers
    for server in servers.values():
        server.close()


@pytest.mark.parametrize("hostile", ALL, ids=lambda one: one.name)
def test_the_pool(played, hostile):
    seen, servers = played
    assert [tuple(one) for one in seen[hostile.name]["becomes"]] == list(hostile.becomes)
    assert servers[hostile.name].connections == hostile.connections


@pytest.mark.parametrize("hostile", ALL, ids=lambda one: one.name)
def test_the_client_of_one_connection(hostile):
    server = Server(hostile)
    client = KeepAlive(server.address, time.monotonic, _TIMEOUT_S)
    becomes = []
    for seq in range(hostile.requests):
        exchange = client.send(f"run-1-{seq}", Form(path="/predict"), b"{}")
        becomes.append((OUTCOMES[exchange.outcome], exchange.status))
        if hostile.closes and client._socket:  # the server's end is on its way
            client._socket.settimeout(5)
            client._socket.recv(1, socket.MSG_PEEK)
    client.close()
    server.close()
    assert becomes == list(hostile.becomes) and server.connections == hostile.connections


@pytest.fixture(scope="module")
def limits():
    """The pool's own limits, played at once."""
    silent = Server(Hostile("silent", lambda line: line.await_close()))
    good = {name: Server(Hostile(name, answering(OK))) for name in ("kept", "large", "stale")}
    with socket.socket() as full, socket.socket() as refusing:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one connection waits to be accepted; the next ones get no answer at all
        refusing.bind(("127.0.0.1", 0))
        where = {name: f"127.0.0.1:{one.getsockname()[1]}" for name, one in (("full", full), ("refusing", refusing))}
        cases = [
            case("waiting", silent.address, requests=12, users_max=3, queue_max=4, at_once=True),
            case("kept", good["kept"].address, requests=5),
            case("large", good["large"].address, body_bytes=8_000_000, timeout_s=10),
            case("stale", good["stale"].address, stale=True),
            case("full", where["full"], requests=5, at_once=True),
            case("refusing", where["refusing"], requests=300, users_max=1000, queue_max=1000, at_once=True),
            case(
                "refusing, few connections", where["refusing"], requests=300, users_max=2, queue_max=1000, at_once=True
            ),
        ]
        yield through_the_pool(cases), {name: server.connections for name, server in good.items()}
    for server in (silent, *good.values()):
        server.close()


def outcomes(seen: dict) -> Counter:
    return Counter(outcome for outcome, _ in seen["becomes"])


def test_what_is_too_much_is_a_recorded_drop_and_what_waits_is_sent_later(limits):
    seen = limits[0]["waiting"]
    assert outcomes(seen) == {"unknown": 7, "dropped": 5}
    assert seen["in_flight_max"] == 3 and seen["waiting_max"] == 4
    assert 3 * _TIMEOUT_S < seen["took_s"] < 3 * _TIMEOUT_S + 2, "three connections, seven requests: three rounds"


def test_connections_are_kept(limits):
    assert outcomes(limits[0]["kept"]) == {"answered": 5} and limits[1]["kept"] == 1
    assert limits[0]["kept"]["left_open"] == 1


def test_a_body_larger_than_the_sockets_buffer_is_sent_whole(limits):
    assert outcomes(limits[0]["large"]) == {"answered": 3}


def test_a_request_that_never_left_goes_over_a_new_connection(limits):
    assert outcomes(limits[0]["stale"]) == {"answered": 3} and limits[1]["stale"] == 3


def test_a_connection_that_is_never_accepted_is_failed_one_that_is_never_answered_unknown(limits):
    assert outcomes(limits[0]["full"]) in ({"unknown": 1, "failed": 4}, {"unknown": 2, "failed": 3})


@pytest.mark.parametrize("name", ["refusing", "refusing, few connections"])
def test_a_server_that_is_not_there(limits, name):
    assert outcomes(limits[0][name]) == {"failed": 300} and limits[0][name]["left_open"] == 0
