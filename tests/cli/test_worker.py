"""tocsin worker and the options of tocsin run that concern workers: places, tokens, and a process that ends with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_stack import CATALOGUE, write_scenario
from tocsin.harness.cli import worker
from tocsin.harness.cli.plan_drills import drills
from tocsin.harness.core.errors import UsageError
from tocsin.harness.traffic.worker_pool import TOKEN, RemoteWorkers

SECRET = "sixteen letters, or more"


@pytest.mark.parametrize(
    ("value", "found"),
    [("10.1.2.3", "10.1.2.3:5557"), ("far.example:6001", "far.example:6001"), ("far", "far:5557"), ("far:1", "far:1")],
)
def test_a_place_is_a_host_and_a_port(value, found):
    assert worker.place("--master", value) == found


@pytest.mark.parametrize("value", ["", ":5557", "far:", "far:0", "far:65536", "far:x", "far:1:2", "far:-1"])
def test_what_is_no_place_is_told(value):
    with pytest.raises(UsageError) as raised:
        worker.place("--bind", value)
    (mistake,) = raised.value.mistakes
    assert (mistake.where, mistake.value, mistake.expected) == ("--bind", value, "HOST or HOST:PORT")


def test_a_host_that_nobody_knows_is_told_before_anything_starts(monkeypatch):
    def unknown(*args):
        raise OSError("Name or service not known")

    monkeypatch.setenv(TOKEN, SECRET)
    monkeypatch.setattr(worker.socket, "getaddrinfo", unknown)
    monkeypatch.setattr(worker.subprocess, "Popen", lambda *args, **more: pytest.fail("started"))
    with pytest.raises(UsageError) as raised:
        worker.worker(master="far", once=True)
    (mistake,) = raised.value.mistakes
    assert (mistake.value, mistake.hint) == ("far", "Name or service not known.")


@pytest.mark.parametrize(("token", "value"), [(None, "0 characters"), ("", "0 characters"), ("short", "5 characters")])
def test_workers_elsewhere_need_a_token_and_it_is_never_shown(monkeypatch, token, value):
    monkeypatch.delenv(TOKEN, raising=False)
    if token is not None:
        monkeypatch.setenv(TOKEN, token)
    with pytest.raises(UsageError) as raised:
        worker.remote(1, "127.0.0.1")
    (mistake,) = raised.value.mistakes
    assert (mistake.where, mistake.value) == (TOKEN, value)


def test_without_workers_elsewhere_no_token_is_asked_for(monkeypatch):
    monkeypatch.delenv(TOKEN, raising=False)
    assert worker.remote(0, "nowhere:at:all") == RemoteWorkers()
    monkeypatch.setenv(TOKEN, SECRET)
    found = worker.remote(2, "0.0.0.0")
    assert (found.workers, found.bind, found.token) == (2, "0.0.0.0:5557", SECRET) and SECRET not in repr(found)


@pytest.mark.parametrize(("asked", "workers"), [(None, 3), (1, 1), (8, 8)])
def test_the_command_line_outweighs_the_scenario(tmp_path: Path, asked, workers):
    path = write_scenario(tmp_path, ("timeline:", "traffic: {workers: 3}\ntimeline:"))
    (drill,) = drills([path], catalogue=CATALOGUE, stack=None, seed=None, speed=1.0, workers=asked)
    assert drill.timeline.scenario.traffic.workers == workers
    assert drill.timeline.scenario.folder == tmp_path, "where its files are looked for"


@pytest.mark.e2e
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_worker_that_waits_ends_with_the_command(number, code):
    mark = f"TOCSIN_TEST_MARK={os.getpid()}-{number}"
    name, _, value = mark.partition("=")
    environment = {**os.environ, TOKEN: SECRET, name: value}
    argv = [sys.executable, "-c", "import sys; from tocsin.harness.cli import main; sys.exit(main())"]
    argv += ["worker", "--master", "127.0.0.1:1"]
    process = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, start_new_session=True, text=True)
    assert process.stderr and process.stderr.readline() == "Waiting for a master at 127.0.0.1:1.\n"
    deadline = time.monotonic() + 15
    while len(carriers(mark)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(15) == code
    while carriers(mark):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.stderr.close()


def carriers(mark: str) -> list[str]:
    """Return the processes that carry a mark in their environment."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            content = (place / "environ").read_bytes() if place.name.isdigit() else b""
        except OSError:
            continue
        if mark.encode() in content.split(b"\0"):
            found.append(place.name)
    return found
