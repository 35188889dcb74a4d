"""Several workers play one load: real processes on loopback, and whatever may happen to one of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tocsin.harness.core.errors import StackError, WaitTimeout
from tocsin.harness.evidence.requests import OUTCOMES, read_requests
from tocsin.harness.traffic.load_processes import TrafficProcess
from tocsin.harness.traffic.worker_pool import TOKEN, RemoteWorkers, WorkerPool

pytestmark = pytest.mark.e2e
SECRET = "a secret of the tests"


def phase(end_s=1.5, rate_per_s=100, **more):
    return {"name": "calm", "start_s": 0, "end_s": end_s, "rate_per_s": rate_per_s, "arrivals": "poisson", **more}


class Notes(list):
    """Facts as a worker pool notes them."""

    def __call__(self, fact, **more):
        self.append((fact, more))

    def names(self):
        return [fact for fact, _ in self]


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def pool(plan, tmp_path, spawn, notes):
    def start(address, phases, local=2, remote=None, **more) -> WorkerPool:
        whole = {**plan, "address": address, "seed": 7, "users": "predict", "phases": phases, **more}
        return WorkerPool(whole, tmp_path / "work", spawn, local=local, remote=remote, note=notes)

    return start


def records(plan):
    return read_requests(Path(plan["records"]))


RUBBISH = """
import sys, msgpack, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.setsockopt(zmq.IDENTITY, b"stranger")
socket.connect(f"tcp://127.0.0.1:{sys.argv[1]}")
rubbish = [("tocsin_hello", None), ("tocsin_join", {}), ("tocsin_rows", {"rows": b"x"}), ("quit", None), ("stats", {}),
           ("client_ready", "9.9")]
frames = [msgpack.dumps((*words, "stranger")) for words in rubbish] + [msgpack.dumps(("tocsin_event", {}, "traffic"))]
for frames in [[b"rubbish"], [b"", b""], [b"\\xff"], [msgpack.dumps(7)], *([one] for one in frames)]:
    socket.send_multipart(frames)
assert socket.poll(5000), "the ack of Locust itself"
socket.close(linger=1000)
"""
"""A stranger who speaks Locust's protocol, or nearly, without the token."""


def remote_worker(spawn, port, token=SECRET, ahead_s=0.0):
    """Start a worker that shares nothing with the master; its clock is `ahead_s` ahead."""
    code = (
        "import sys; from tocsin.harness.core.clock import RunClock\n"
        "from tocsin.harness.traffic.locust.worker import Worker\n"
        f"clock = RunClock(); clock.wall_start += {ahead_s}\n"
        f"worker = Worker('127.0.0.1:{port}', {token!r}, clock=clock); code = worker.run()\n"
        "sys.stderr.write(worker.failure); sys.exit(code)"
    )
    return spawn([sys.executable, "-c", code], name="remote", stderr=subprocess.PIPE, text=True)


def until(seen, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (found := seen()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def test_two_workers_send_what_one_would_have_sent(serve, plan, tmp_path, spawn, pool):
    alone, shared = serve(), serve()
    whole = {**plan, "address": alone.address, "seed": 7, "phases": [phase()], "records": tmp_path / "alone"}
    process = TrafficProcess(whole, tmp_path / "alone", spawn)
    pair = pool(shared.address, [phase()])
    process.ready(), pair.ready()
    start = time.time() + 0.3
    process.start(start), pair.start(start)
    done, one = pair.wait(30), process.wait(30)
    bodies = [
        {request.head["x-request-id"].rpartition("-")[2]: request.body for request in server.requests}
        for server in (alone, shared)
    ]
    assert bodies[0] == bodies[1] and len(bodies[0]) > 100
    for_one, for_two = read_requests(tmp_path / "alone"), records(plan)
    assert np.allclose(for_one["intended"], for_two["intended"], rtol=0, atol=1e-6)
    assert set(for_two["worker"]) == {1, 2} and abs((for_two["worker"] == 1).mean() - 0.5) < 0.02
    ids = {request.head["x-request-id"] for request in shared.requests}
    assert ids == {f"drill-1-{1 + int(seq) % 2}-{seq}" for seq in bodies[1]}
    assert done["sent"] == done["answered"] == one["sent"] == len(for_two)
    assert sum(part.recorded for part in pair.parts) == len(for_two) and not done["stopped"]
    assert [len(part.clocks) for part in pair.parts] == [2, 2] and pair.recorded == len(for_two)
    pair.check()
    assert all(process.poll() is not None for process in pair._workers), "nothing is left behind"


def test_a_killed_worker_is_named_and_the_others_go_on_until_none_is_left(serve, plan, pool, notes):
    pair = pool(serve().address, [phase(end_s=600)])
    pair.ready()
    pair.start(time.time())
    until(lambda: pair.latest_rate.get("sent", 0) > 50)
    killed_at = time.time()
    os.kill(pair._workers[1].pid, signal.SIGKILL)
    until(lambda: "worker_lost" in notes.names())
    noticed_s = time.time() - killed_at
    pair.check()
    ((_, lost),) = notes
    assert (lost["worker"], lost["share"]) == (2, 0.5) and "nothing was heard of it" in lost["reason"]
    assert abs(lost["since"] - killed_at) < 1.5 and noticed_s < 6
    os.kill(pair._workers[0].pid, signal.SIGKILL)
    until(lambda: len(notes) == 2)
    with pytest.raises(StackError, match="Every worker of the traffic is lost"):
        pair.check()
    pair.stop()
    assert {part.worker: part.recorded for part in pair.parts} == {1: None, 2: None}
    rows = records(plan)
    assert rows["intended"][rows["worker"] == 1].max() > killed_at + 2, "all but its last half second is kept"
    assert rows["intended"][rows["worker"] == 2].max() < killed_at + 0.1


@pytest.mark.soak
def test_a_frozen_worker_is_named_and_welcomed_back(serve, plan, pool, notes):
    pair = pool(serve().address, [phase(end_s=600)])
    pair.ready()
    pair.start(time.time())
    until(lambda: pair.latest_rate.get("sent", 0) > 50)
    os.kill(pair._workers[0].pid, signal.SIGSTOP)
    until(lambda: "worker_lost" in notes.names())
    os.kill(pair._workers[0].pid, signal.SIGCONT)
    until(lambda: "worker_back" in notes.names())
    done = pair.stop()
    assert [(fact, more["worker"]) for fact, more in notes] == [("worker_lost", 1), ("worker_back", 1)]
    rows = records(plan)
    assert {part.worker: part.recorded for part in pair.parts} == {w: (rows["worker"] == w).sum() for w in (1, 2)}
    late_s = (rows["sent"] - rows["intended"])[rows["worker"] == 1]
    assert np.nanmax(late_s) > 2.5 and done["sent"] == len(rows) - (rows["outcome"] == OUTCOMES.index("dropped")).sum()


def test_a_remote_worker_has_its_clock_set_and_strangers_are_refused(serve, plan, spawn, pool, notes):
    pair = pool(serve().address, [phase(end_s=2.0)], local=1, remote=RemoteWorkers(workers=1, token=SECRET))
    port = pair.events("listening")[0]["port"]
    stranger = remote_worker(spawn, port, token="a wrong secret")
    with socket.create_connection(("127.0.0.1", port)) as rubbish:
        rubbish.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(1000))
    assert spawn([sys.executable, "-c", RUBBISH, str(port)], name="rubbish").wait(20) == 0
    assert "the same TOCSIN_WORKER_TOKEN on both sides" in stranger.communicate(timeout=40)[1]
    assert stranger.returncode == 64
    until(lambda: pair.events("stranger"))
    with pytest.raises(WaitTimeout, match=r"2 workers; 1 have joined, \d refused for a wrong token"):
        pair.ready(within_s=0.5)
    far = remote_worker(spawn, port, ahead_s=100.0)
    pair.ready()
    surplus = remote_worker(spawn, port)
    assert "this run has all its 2 workers" in surplus.communicate(timeout=40)[1]
    ((_, clock),) = notes
    assert abs(clock["offset_s"] - 100.0) <= clock["uncertainty_s"] + 1e-6 and 0 < clock["uncertainty_s"] < 0.05
    start = time.time() + 0.3
    pair.start(start)
    done = pair.wait(30)
    assert far.communicate(timeout=40)[1] == "" and far.returncode == 0
    rows = records(plan)
    theirs = rows[rows["worker"] == 2]
    assert len(theirs) == pair.parts[1].recorded > 50 and done["sent"] == len(rows)
    assert not pair.parts[1].clocks, "another machine's monotonic time means nothing here"
    assert theirs["intended"].min() >= start and theirs["done"].max() < start + 3
    assert np.median(theirs["sent"] - theirs["intended"]) < 0.05


def test_workers_end_soon_after_their_master(serve, pool, plan):
    pair = pool(serve().address, [phase(end_s=600)])
    pair.ready()
    pair.start(time.time())
    until(lambda: pair.latest_rate.get("sent", 0) > 20)
    os.kill(pair._process.pid, signal.SIGKILL)
    with pytest.raises(StackError, match=r"traffic-master process ended \(exit code -9\)"):
        pair.wait(10)
    with pytest.raises(StackError):
        pair.check()
    assert [process.wait(12) for process in pair._workers] == [2, 2]
    assert {part.worker: part.recorded for part in pair.parts} == {1: None, 2: None}
    assert len(records(plan)) > 20


@pytest.mark.parametrize("end", ["close", pytest.param("terminate", marks=pytest.mark.soak)])
def test_all_end_with_the_harness(serve, pool, plan, end):
    pair = pool(serve().address, [phase(end_s=600)])
    pair.ready()
    pair.start(time.time())
    until(lambda: pair.latest_rate.get("sent", 0) > 20)
    for process in (pair._process, *pair._workers):
        process.stdin.close() if end == "close" else process.terminate()
    assert [process.wait(10) for process in (pair._process, *pair._workers)] == [0, 0, 0]
    rows = records(plan)
    assert {part.worker: part.recorded for part in pair.parts} == {w: (rows["worker"] == w).sum() for w in (1, 2)}


def test_what_keeps_a_worker_from_starting_is_said(serve, pool, plan, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("import nothing_of_that_name\n")
    pair = pool(serve().address, [phase()], users=f"{mine}:Buyer")
    with pytest.raises(StackError, match=r"Worker \d cannot play: .*No module named 'nothing_of_that_name'"):
        pair.ready()


def test_a_port_in_use_is_a_sentence(serve, plan, tmp_path, spawn):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        remote = RemoteWorkers(workers=1, bind=f"127.0.0.1:{taken.getsockname()[1]}", token=SECRET)
        whole = {**plan, "address": "127.0.0.1:1", "phases": [phase()]}
        with pytest.raises(StackError, match=r"cannot listen on 127.0.0.1:\d+"):
            WorkerPool(whole, tmp_path / "work", spawn, local=1, remote=remote)


def test_the_token_stands_in_no_file_and_on_no_command_line(serve, plan, tmp_path, spawn):
    seen = []

    def watched(argv, **popen):
        seen.append((argv, popen.get("env")))
        return spawn(argv, **popen)

    remote = RemoteWorkers(workers=0, token=SECRET)
    whole = {**plan, "address": serve().address, "phases": [phase(end_s=0.2)]}
    pool = WorkerPool(whole, tmp_path / "work", watched, local=1, remote=remote)
    theirs = {TOKEN: SECRET, "TMPDIR": str(tmp_path / "work")}  # what a killed worker leaves goes with the work folder
    assert all(env == theirs for _, env in seen) and SECRET not in repr(remote)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in content for content in written)
    assert not any(SECRET in word for argv, _ in seen for word in argv)
    pool.ready()
    pool.stop()
