"""Custom users and Locust's own clients, in the traffic process, against a stub."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tocsin.harness.evidence.requests import KINDS, OUTCOMES, read_requests
from tocsin.harness.traffic.load_processes import TrafficProcess

pytestmark = pytest.mark.e2e
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BROKEN = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"
HANG = b"hang"
CLOSE = b""

CALLS = """
from locust import FastHttpUser, HttpUser, User, constant, task

class Fast(FastHttpUser):
    wait_time = constant(1000)

    @task
    def ask(self):
        self.client.post("/predict", data=self.arrival.body, headers={"x-mine": "yes"})

class Slow(HttpUser):
    host = "http://127.0.0.1:1"

    @task
    def ask(self):
        with self.client.post("/predict", data=self.arrival.body, catch_response=True) as answer:
            answer.failure("never good enough")

class Twice(FastHttpUser):
    def on_start(self):
        self.client.post("/login", data=b"x")

    @task
    def ask(self):
        self.client.post("/first", data=b"1")
        self.client.post("/second", data=b"2")

class Silent(FastHttpUser):
    @task
    def ask(self):
        raise ValueError("a mistake in a task")

class Other(User):
    @task
    def ask(self):
        self.environment.events.request.fire(request_type="RPC", name="ask", response_time=5, response_length=0)

    @task
    def fail(self):
        told = {"request_type": "RPC", "name": "x", "response_time": 5, "response_length": 0}
        self.environment.events.request.fire(exception=RuntimeError("refused by the other side"), **told)

class Idle(FastHttpUser):
    pass

class NoUser:
    pass
"""


@pytest.fixture
def played(plan, tmp_path, spawn):
    """Play a short constant load to its end; return the records, `done`, and what the process wrote to stderr."""

    def play(address, rate_per_s=50, end_s=0.6, **more):
        one = {"name": "calm", "start_s": 0, "end_s": end_s, "rate_per_s": rate_per_s, "arrivals": "constant"}
        whole = {**plan, "address": address, "seed": 7, "phases": [one], **more}
        process = TrafficProcess(whole, tmp_path / "work", spawn)
        process.ready()
        process.start(time.time() + 0.2)
        done = process.wait(30)
        return read_requests(Path(plan["records"])), done

    return play


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CALLS)
    return lambda name: f"{path}:{name}"


def counted(values, names):
    return {names[value]: count for value, count in Counter(values.tolist()).items()}


def ids(server):
    return {request.head["x-request-id"].encode() for request in server.requests if "x-request-id" in request.head}


@pytest.mark.parametrize("client", ["fasthttp", "http"])
def test_locusts_clients_keep_the_same_records(serve, played, client):
    answers = (OK, BROKEN, CLOSE, HANG)
    server = serve(lambda nth: answers[nth % 4])
    rows, done = played(server.address, client=client, timeout_s=0.7)
    assert ids(server) == set(rows["id"].tolist()) and done["asked"] == len(rows) == 30
    outcomes, statuses = counted(rows["outcome"], OUTCOMES), Counter(rows["status"].tolist())
    assert outcomes == {"answered": 15, "unknown": 15} and statuses == {200: 7, 503: 8, 0: 15}
    waited_s = rows["done"] - rows["sent"]
    assert (waited_s > 0.6).sum() == 7 and waited_s.max() < 2
    assert all(request.head["content-type"] == "application/json" for request in server.requests)
    assert all(len(request.head["traceparent"]) == 55 and json.loads(request.body) for request in server.requests)
    assert set(rows["kind"]) == {KINDS.index("normal")} and np.isnan(rows["first_byte"]).all()
    assert (rows["sent"] >= rows["intended"] - 0.005).all() and (rows["done"] >= rows["sent"]).all()


@pytest.mark.parametrize("client", ["fasthttp", "http"])
def test_half_an_answer_is_unknown(serve, played, client):
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}"
    rows, _ = played(serve(half, hang_up_after_answer=True).address, client=client)
    assert counted(rows["outcome"], OUTCOMES) == {"unknown": 30}


@pytest.mark.parametrize("client", ["fasthttp", "http"])
def test_no_connection_is_failed(refusing, played, client):
    rows, _ = played(refusing, client=client)
    assert counted(rows["outcome"], OUTCOMES) == {"failed": 30}


@pytest.mark.parametrize(("name", "header"), [("Fast", True), ("Slow", False)])
def test_each_arrival_makes_a_user_run_one_task(serve, played, mine, name, header):
    server = serve()
    rows, done = played(server.address, users=mine(name))
    assert counted(rows["kind"], KINDS) == {"user": 30} == {"user": done["asked"]}
    assert counted(rows["outcome"], OUTCOMES) == {"answered": 30} and set(rows["status"]) == {200}
    assert ids(server) == set(rows["id"].tolist()) == {f"drill-1-1-{seq}".encode() for seq in range(30)}
    assert all(json.loads(request.body)["features"] for request in server.requests), "the body that the plan asks for"
    assert all(("x-mine" in request.head) is header for request in server.requests)
    assert np.median(rows["sent"] - rows["intended"]) < 0.1 and np.ptp(rows["intended"]) == pytest.approx(
        0.58, abs=0.01
    )


def test_further_requests_of_a_task_are_told_from_the_first(serve, played, mine):
    server = serve()
    rows, _ = played(server.address, users=mine("Twice"))
    first, more = (rows[rows["kind"] == KINDS.index(kind)] for kind in ("user", "user_more"))
    seqs = {row["id"].decode().split("-")[-1] for row in more}
    assert len(first) == 30 and {f"{seq}.1" for seq in range(30)} <= seqs
    logins = [request for request in server.requests if "/login" in request.first_line]
    assert 0 < len(logins) == len(seqs) - 30 and ids(server) == set(rows["id"].tolist())
    assert (more["sent"] == more["intended"]).all()


def test_a_frozen_server_shows_in_the_latency_of_custom_users(serve, played, mine):
    def answer(nth):
        if nth == 10:
            time.sleep(0.8)  # the stub answers under one lock: every other request waits too
        return OK

    rows, _ = played(serve(answer).address, users=mine("Fast"), end_s=1.0)
    latency_s = rows["done"] - rows["intended"]
    assert (
        latency_s.max() > 0.7
        and (latency_s > 0.3).sum() > 15
        and counted(rows["outcome"], OUTCOMES) == {"answered": 50}
    )


def test_in_a_closed_loop_each_user_waits_for_its_answer_and_thinks(serve, plan, tmp_path, spawn, mine):
    asked = {"t_s": [0, 1.5], "rate_per_s": [0, 0], "gaps": "closed", "users": 3, "think_s": 0.1}
    phase = {"name": "calm", "start_s": 0, "end_s": 1.5, "asked": asked}
    whole = {**plan, "address": serve().address, "phases": [phase], "users": mine("Fast")}
    process = TrafficProcess(whole, tmp_path / "work", spawn)
    process.ready()
    process.start(time.time() + 0.2)
    done = process.wait(30)
    rows = read_requests(Path(plan["records"]))
    assert counted(rows["kind"], KINDS) == {"user": done["asked"]} and 6 <= len(rows) <= 45
    under_way = [((rows["sent"] <= at) & (rows["done"] > at)).sum() for at in rows["sent"]]
    assert max(under_way) <= 3


def test_a_task_that_sends_nothing_is_a_drop_and_another_clients_events_are_records(serve, played, mine, plan):
    rows, done = played(serve().address, users=mine("Silent"))
    assert counted(rows["outcome"], OUTCOMES) == {"dropped": 30} and done["sent"] == 0
    rows, _ = played(serve().address, users=mine("Other"))
    outcomes = counted(rows["outcome"], OUTCOMES)
    assert set(outcomes) == {"answered", "unknown"} and sum(outcomes.values()) == 30 and set(rows["status"]) == {0}
    assert np.allclose(rows["done"] - rows["sent"], 0.005, atol=0.001)


def test_what_is_under_way_when_all_ends_is_unknown(serve, plan, tmp_path, spawn, mine):
    one = {"name": "calm", "start_s": 0, "end_s": 600, "rate_per_s": 50, "arrivals": "constant"}
    whole = {**plan, "address": serve(HANG).address, "phases": [one], "users": mine("Fast"), "timeout_s": 30}
    process = TrafficProcess(whole, tmp_path / "work", spawn)
    process.ready()
    process.start(time.time())
    process._await("rate", 1, 20)
    done = process.stop()
    rows = read_requests(Path(plan["records"]))
    outcomes = counted(rows["outcome"], OUTCOMES)
    assert sum(outcomes.values()) == done["asked"] and outcomes["unknown"] > 20
    assert outcomes.get("dropped", 0) <= 2 and set(outcomes) <= {"unknown", "dropped"}, "one may still wait for a user"


@pytest.mark.parametrize("module", ["tocsin.harness.traffic.locust.custom_users", "harness.traffic.locust.own"])
def test_a_file_may_import_arrival_by_its_old_or_new_name(serve, played, tmp_path, module):
    path = tmp_path / "typed.py"
    typed = CALLS.replace("FastHttpUser):", "FastHttpUser):\n    arrival: Arrival")
    path.write_text(f"from {module} import Arrival\n{typed}")
    rows, done = played(serve().address, users=f"{path}:Fast")
    assert counted(rows["kind"], KINDS) == {"user": 30} and set(rows["status"]) == {200}


def test_a_class_that_cannot_play_is_a_sentence(plan, mine):
    one = {"name": "calm", "start_s": 0, "end_s": 1, "rate_per_s": 50}
    content = {**plan, "address": "127.0.0.1:1", "phases": [one]}
    wanted = {
        mine("NoUser"): "gives no Locust User class NoUser",
        mine("Gone"): "gives no Locust User class Gone",
        mine("Idle"): "Idle of mine.py has no tasks",
        mine("Fast").replace("mine", "none"): "none.py cannot be imported: FileNotFoundError",
    }
    code = """
import json, sys
from tocsin.harness.core.errors import StackError
from tocsin.harness.traffic.locust.traffic_process import user_class
from tocsin.harness.traffic.load_plan import TrafficPlan
content, names = json.loads(sys.argv[1])
for name in names:
    try:
        user_class(TrafficPlan.model_validate({**content, "users": name}))
    except StackError as error:
        print(json.dumps([name, str(error)]))
"""
    said = subprocess.run(
        [sys.executable, "-c", code, json.dumps([content, list(wanted)])], capture_output=True, text=True, check=True
    )
    sentences = dict(json.loads(line) for line in said.stdout.splitlines())
    assert all(sentence in sentences[name] for name, sentence in wanted.items())
