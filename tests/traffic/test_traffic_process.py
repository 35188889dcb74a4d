"""The traffic process as the engine runs it: Locust in a process of its own, against a stub."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS, OUTCOMES, read_requests
from tocsin.harness.traffic.load_processes import TrafficProcess

pytestmark = pytest.mark.e2e
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HANG = b"hang"


def phase(name="calm", start_s=0, end_s=1.5, rate_per_s=100, arrivals="poisson", **payload):
    return dict(name=name, start_s=start_s, end_s=end_s, rate_per_s=rate_per_s, arrivals=arrivals, payload=payload)


@pytest.fixture
def traffic(plan, tmp_path, spawn):
    def start(address: str, phases, **more) -> TrafficProcess:
        whole = {**plan, "address": address, "seed": 7, "worker": 1, "users": "predict", "phases": phases, **more}
        process = TrafficProcess(whole, tmp_path / "work", spawn)
        process.ready()
        return process

    return start


def records(plan):
    return read_requests(Path(plan["records"]))


def outcomes(rows):
    return Counter(OUTCOMES[outcome] for outcome in rows["outcome"])


def test_every_request_is_sent_once_received_once_and_recorded_once(serve, traffic, plan):
    server = serve()
    faulty = {"faulty": ["nan", "oversize"], "share": 0.2}
    shift = {"shift": "mean", "features": ["f1"], "by_sd": 0.5}
    phases = [
        phase(),
        phase("moved", 1.5, 2.0, arrivals="constant", **shift),
        phase("bad", 2.0, 2.5, arrivals="constant", **faulty),
    ]
    process = traffic(server.address, phases)
    start = time.time() + 0.2
    process.start(start)
    done = process.wait(20)
    rows = records(plan)
    received = [request.head["x-request-id"] for request in server.requests]
    assert done["sent"] == done["asked"] == done["answered"] == len(rows) == len(received)
    assert len(set(received)) == len(received) and {one.encode() for one in received} == set(rows["id"].tolist())
    assert all(re.fullmatch(r"drill-1-1-\d+", one) for one in received)
    assert outcomes(rows) == {"answered": len(rows)} and set(rows["status"]) == {200}
    kinds = Counter(KINDS[kind] for kind in rows["kind"])
    assert kinds["shifted"] == 50 and kinds["nan"] == kinds["oversize"] == 5
    offsets = rows["intended"] - start
    assert offsets.min() >= 0 and offsets.max() < 2.5
    assert (rows["sent"] - rows["intended"]).min() > -0.005 and (rows["done"] >= rows["first_byte"]).all()
    [shifted] = done["delivered"]["moved"]
    assert shifted["feature"] == "f1" and 0.3 < shifted["achieved"] < 0.7


def test_the_same_seed_sends_the_same_bodies_under_the_same_ids(serve, plan, tmp_path, spawn):
    runs = []
    for run in ("a", "b"):
        server = serve()
        whole = {**plan, "address": server.address, "seed": 7, "phases": [phase(end_s=0.5)], "records": tmp_path / run}
        process = TrafficProcess(whole, tmp_path / run, spawn)
        process.ready()
        process.start(time.time())
        process.wait(20)
        runs.append({request.head["x-request-id"]: request.body for request in server.requests})
    assert runs[0] == runs[1] and len(runs[0]) > 20


def test_a_frozen_server_shows_in_the_latency_from_the_intended_time(serve, traffic, plan):
    frozen, thaw = threading.Event(), threading.Event()

    def answer(nth):
        if nth == 50:
            frozen.set()
            thaw.wait(10)  # the stub answers under one lock: every other request waits too
        return OK

    process = traffic(serve(answer).address, [phase(end_s=2.0, arrivals="constant")], timeout_s=10)
    process.start(time.time())
    assert frozen.wait(10)
    frozen_at = time.time()
    while time.time() < frozen_at + 1.0:
        thaw.wait(0.05)
    thaw.set()
    process.wait(20)
    rows = records(plan)
    latency_s = rows["done"] - rows["intended"]
    assert outcomes(rows) == {"answered": 200}
    assert (latency_s > 0.5).sum() > 30 and latency_s.max() > 0.9
    assert np.median(rows["sent"] - rows["intended"]) < 0.1


def test_no_server_is_failed_at_once(refusing, traffic, plan):
    process = traffic(refusing, [phase(end_s=0.5)])
    process.start(time.time())
    done = process.wait(20)
    assert outcomes(records(plan)) == {"failed": done["asked"]} and done["failed"] == done["sent"] == done["asked"]


def test_a_server_that_never_answers_delays_no_sending_and_leaves_unknown_outcomes_in_time(serve, traffic, plan):
    process = traffic(serve(HANG).address, [phase(end_s=0.5, rate_per_s=300, arrivals="constant")], timeout_s=1.5)
    process.start(time.time())
    done = process.wait(20)
    rows = records(plan)
    assert outcomes(rows) == {"unknown": 150} and done["unknown"] == 150
    assert (rows["done"] - rows["sent"]).min() > 1.4 and (rows["done"] - rows["sent"]).max() < 3
    assert (rows["sent"] - rows["intended"]).max() < 0.7


def test_what_no_user_takes_and_no_queue_holds_is_a_recorded_drop(serve, traffic, plan):
    limits = {"users_max": 5, "queue_max": 10, "timeout_s": 1}
    process = traffic(serve(HANG).address, [phase(end_s=0.5, arrivals="constant")], **limits)
    process.start(time.time())
    done = process.wait(20)
    rows = records(plan)
    dropped = rows[rows["outcome"] == OUTCOMES.index("dropped")]
    assert len(rows) == done["asked"] == 50 and done["dropped"] == len(dropped) >= 35
    assert np.isnan(dropped["sent"]).all() and not np.isnan(dropped["intended"]).any()


@pytest.mark.parametrize("end", ["stop", "close", "terminate"])
def test_it_ends_at_once_when_told_and_keeps_its_records(serve, traffic, plan, end):
    fifty = threading.Event()
    server = serve(lambda nth: (nth == 50 and fifty.set()) or (OK if nth < 60 else HANG))
    process = traffic(server.address, [phase(end_s=600)], timeout_s=60)
    process.start(time.time())
    assert fifty.wait(20)
    told = time.monotonic()
    if end == "stop":
        done = process.stop()
    else:
        process._process.stdin.close() if end == "close" else process._process.send_signal(signal.SIGTERM)
        done = process.wait(10)
    assert time.monotonic() - told < 5 and process._process.returncode == 0
    rows = records(plan)
    assert done["stopped"] and done["asked"] == len(rows) >= 50
    assert {one.head["x-request-id"].encode() for one in server.requests} <= set(rows["id"].tolist())


def test_a_stop_before_the_start_sends_nothing(serve, traffic):
    server = serve()
    done = traffic(server.address, [phase()]).stop()
    assert done["sent"] == done["asked"] == 0 and not server.requests


def test_a_kill_leaves_what_was_flushed_and_a_sentence(serve, traffic, plan):
    process = traffic(serve().address, [phase(end_s=600)])
    process.start(time.time())
    process._await("rate", 2, 20)
    process._process.kill()
    with pytest.raises(StackError, match=r"traffic-1 process ended \(exit code -9\)"):
        process.wait(10)
    assert len(records(plan)) > 50


def test_totals_are_said_each_second(serve, traffic):
    process = traffic(serve().address, [phase(end_s=3.5)])
    assert process.latest_rate == {}
    process.start(time.time())
    process.wait(20)
    sent = [rate["sent"] for rate in process.events("rate")]
    assert len(sent) >= 3 and sent == sorted(sent)
    assert {
        "answered",
        "failed",
        "unknown",
        "errors_5xx",
        "at",
        "sent_per_s",
        "latency_ms_p99",
    } <= process.latest_rate.keys()


def test_check_is_silent_until_the_process_ends_unasked(serve, traffic):
    process = traffic(serve().address, [phase(end_s=600)])
    process.check()
    process.start(time.time())
    process.check()
    process._process.send_signal(signal.SIGTERM)
    process.wait(10)
    with pytest.raises(StackError, match=r"traffic-1 process ended \(exit code 0\)"):
        process.check()


def test_check_is_silent_after_a_whole_load_and_after_a_stop(serve, plan, tmp_path, spawn):
    for end_s, name in ((0.3, "whole"), (600, "stopped")):
        whole = {**plan, "address": serve().address, "phases": [phase(end_s=end_s)], "records": tmp_path / name}
        process = TrafficProcess(whole, tmp_path / name, spawn)
        process.ready()
        process.start(time.time())
        assert process.wait(10)["stopped"] is False if name == "whole" else process.stop()["stopped"]
        process.check()


def test_an_answer_on_its_way_is_awaited_when_told_to_stop(serve, traffic, plan):
    asked, told = threading.Event(), threading.Event()

    def answer(nth):
        asked.set()
        told.wait(5)
        return OK

    process = traffic(serve(answer).address, [phase(end_s=600, rate_per_s=5, arrivals="constant")])
    process.start(time.time())
    assert asked.wait(10)
    threading.Timer(0.3, told.set).start()
    done = process.stop()
    assert outcomes(records(plan)) == {"answered": done["asked"]}


def test_users_that_are_neither_ours_nor_in_a_file_are_refused_with_a_sentence(plan, tmp_path, spawn):
    whole = {**plan, "address": "127.0.0.1:1", "users": "buyers", "phases": [phase()]}
    process = TrafficProcess(whole, tmp_path, spawn)
    with pytest.raises(StackError, match=r"exit code 2\).*'buyers' is neither one of predict nor FILE.py:CLASS"):
        process.ready()


def closed(users, think_s, end_s=1.0):
    asked = {"t_s": [0, end_s], "rate_per_s": [0, 0], "gaps": "closed", "users": users, "think_s": think_s}
    return {"name": "closed", "start_s": 0, "end_s": end_s, "asked": asked}


def test_users_of_a_closed_loop_wait_for_their_answer_and_think(serve, traffic, plan):
    process = traffic(serve().address, [closed(users=3, think_s=0.1), phase("open", 1.0, 1.2, arrivals="constant")])
    start = time.time() + 0.2
    process.start(start)
    done = process.wait(20)
    rows = records(plan)
    users, after = rows[rows["intended"] < start + 1.0], rows[rows["intended"] >= start + 1.0]
    assert outcomes(rows) == {"answered": done["asked"]} and 20 <= len(after) <= 21
    assert 20 <= len(users) <= 30, "three users, a tenth of a second each, and what the answer takes"
    at_a_time = [((users["sent"] <= at) & (users["done"] > at)).sum() for at in users["sent"]]
    assert max(at_a_time) <= 3


def test_a_closed_loop_goes_on_after_refusals_without_a_rush(refusing, traffic, plan):
    process = traffic(refusing, [closed(users=2, think_s=0, end_s=0.5)])
    process.start(time.time())
    process.wait(20)
    rows = records(plan)
    assert set(outcomes(rows)) == {"failed"} and 10 < len(rows) <= 2 * 50


def test_good_answers_are_looked_into_for_the_declared_fields(serve, traffic, plan):
    good = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"prediction": 1}'
    shape = {**plan["payload"], "response": {"prediction": "/prediction"}}
    faulty = {"faulty": ["broken_json"], "share": 0.5}
    server = serve(lambda nth: good if nth <= 20 else OK)
    process = traffic(server.address, [phase(end_s=0.4, arrivals="constant", **faulty)], payload=shape)
    process.start(time.time())
    done = process.wait(20)
    assert done["answered"] == 40 and done["checked"] == 20 and 0 < done["lacking"] < 20
    assert "has no prediction: b'{}'" in done["lacking_example"]


def test_special_manners_leave_beside_the_plain_requests(serve, traffic, plan):
    faulty = {"faulty": ["abort"], "share": 0.5}
    process = traffic(serve().address, [phase(end_s=0.4, arrivals="constant", **faulty)])
    process.start(time.time())
    process.wait(20)
    rows = records(plan)
    aborted = rows[rows["kind"] == KINDS.index("abort")]
    assert outcomes(aborted) == {"unknown": 20} and outcomes(rows) == {"unknown": 20, "answered": 20}


def test_a_failure_of_our_own_in_the_loop_ends_the_process_with_a_sentence(serve, traffic, plan):
    code = (
        "import locust, sys; from tocsin.harness.traffic.clients import exchange\n"
        "from tocsin.harness.traffic.locust import traffic_process\n"
        "def broken(*arguments): raise RuntimeError('a bug of ours')\n"
        "exchange.RecordWriter.record = broken\n"
        "sys.exit(traffic_process.main(sys.argv[1:]))"
    )
    path = Path(plan["records"]).parent / "plan.json"
    path.write_text(json.dumps({**plan, "address": serve().address, "phases": [phase()]}, default=str))
    argv = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(f"start {time.time()}\n".encode())
        process.stdin.flush()
        last = json.loads(process.stdout.readlines()[-1])
    assert process.returncode == 70 and last["event"] == "error" and "a bug of ours" in last["message"]


def test_the_engines_side_imports_neither_locust_nor_gevent():
    code = (
        "import json, sys; from tocsin.harness.traffic import canary, load_processes, payloads, request_schedule; "
        "print(json.dumps([m for m in ('locust', 'gevent') if m in sys.modules]))"
    )
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []
