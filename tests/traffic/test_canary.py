"""The canary process as the engine runs it: a process of its own, against a stub."""

import json
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tocsin.harness.core.errors import StackError
from tocsin.harness.evidence.requests import KINDS, OUTCOMES, read_requests
from tocsin.harness.traffic.load_processes import CanaryProcess

pytestmark = pytest.mark.e2e

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
OOPS = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"
HANG, CLOSE = b"hang", b""


@pytest.fixture
def canary(plan, tmp_path, spawn):
    def start(address: str, *, every_s: float = 60, **more) -> CanaryProcess:
        process = CanaryProcess({**plan, "address": address, "every_s": every_s, **more}, tmp_path / "work", spawn)
        process.ready()
        return process

    return start


def records(plan):
    return read_requests(Path(plan["records"]))


@pytest.mark.parametrize(
    "answers, statuses, outcomes",
    [
        ([OK], [200], ["answered"]),
        ([OK, OK, OOPS], [200, 200, 500], ["answered"] * 3),
        ([CLOSE, OK], [0, 200], ["unknown", "answered"]),
    ],
)
def test_probes_tell_statuses_and_are_recorded(serve, canary, plan, answers, statuses, outcomes):
    first_beat = [OK]
    beaten = threading.Event()

    def answer(nth):
        beaten.set()
        return (first_beat + answers)[nth - 1]

    process = canary(serve(answer).address)
    assert beaten.wait(5)
    assert process.probe(len(answers)) == statuses
    done = process.stop()
    rows = records(plan)
    assert done["sent"] == process.recorded == len(rows) == 1 + len(answers)
    assert [sorted(clock) for clock in process.clocks] == [["monotonic", "wall"]] * 2
    assert [OUTCOMES[row] for row in rows["outcome"]] == ["answered", *outcomes]
    assert {KINDS[kind] for kind in rows["kind"]} == {"canary"} and set(rows["worker"]) == {0}
    assert sorted(rows["id"].tolist()) == sorted(f"drill-1-0-{seq}".encode() for seq in range(len(rows)))


def test_answers_come_with_their_bodies(serve, canary, plan):
    beaten = threading.Event()

    def answer(nth):
        beaten.set()
        return OOPS if nth == 3 else OK

    process = canary(serve(answer).address, every_s=60)
    assert beaten.wait(20)  # the first beat is the first request, however slow its process starts
    answers = process.answers(2)
    assert sorted(status for status, _ in answers) == [200, 500] and all(isinstance(body, str) for _, body in answers)
    assert process.probe(1) == [200]
    assert process.stop()["sent"] == 4 == len(records(plan))


def test_no_server_is_failed_and_status_0(refusing, canary, plan):
    process = canary(refusing)
    assert process.probe(2) == [0, 0]
    process.stop()
    assert {OUTCOMES[outcome] for outcome in records(plan)["outcome"]} == {"failed"}


def test_a_server_that_hangs_is_unknown_and_does_not_hold_up_the_end(serve, canary, plan):
    process = canary(serve(HANG).address, timeout_s=20)
    started = time.monotonic()
    process.stop()
    assert time.monotonic() - started < 10
    rows = records(plan)
    assert len(rows) == 1 and OUTCOMES[rows["outcome"][0]] == "unknown"


def test_canaries_come_on_their_grid_from_the_start(serve, canary, plan):
    enough = threading.Event()
    process = canary(serve(lambda nth: (nth >= 5 and enough.set()) or OK).address, every_s=0.05)
    assert enough.wait(10)
    process.stop()
    intended = records(plan)["intended"]
    beats = (intended - intended[0]) / 0.05
    assert len(intended) >= 5 and abs(beats - beats.round()).max() < 1e-3


def test_beats_missed_during_a_slow_answer_are_left_out(serve, canary, plan):
    enough = threading.Event()

    def answer(nth):
        if nth == 2:
            enough.wait(0.8)
        if nth == 6:
            enough.set()
        return OK

    process = canary(serve(answer).address, every_s=0.05)
    assert enough.wait(10)
    process.stop()
    rows = records(plan)
    assert (rows["sent"] - rows["intended"]).max() < 0.4
    assert np.diff(rows["intended"]).max() > 0.7


def test_the_stub_receives_live_rows_under_ids_of_the_run(serve, canary):
    server = serve()
    process = canary(server.address)
    process.probe(20)
    process.stop()
    bodies = [json.loads(request.body)["features"] for request in server.requests]
    assert all(len(row) == 3 and all(isinstance(value, int) for value in row) for row in bodies)
    assert len({tuple(row) for row in bodies}) > 15
    assert all(request.head["x-request-id"].startswith("drill-1-0-") for request in server.requests)


@pytest.mark.parametrize("end", ["close", "terminate"])
def test_the_end_of_stdin_and_sigterm_end_it_too(serve, canary, plan, end):
    process = canary(serve().address)
    process.probe(3)
    if end == "close":
        process._process.stdin.close()
    else:
        process._process.send_signal(signal.SIGTERM)
    assert process.wait(10)["sent"] == len(records(plan)) == 4
    assert process._process.returncode == 0


def test_a_killed_canary_leaves_what_it_recorded_and_a_sentence(serve, canary, plan):
    process = canary(serve().address)
    process.probe(3)
    process._process.kill()
    process._process.wait()
    with pytest.raises(StackError, match=r"canary process ended \(exit code -9\)"):
        process.probe(1)
    assert process.stop() is None
    assert len(records(plan)) >= 3


def test_a_wrong_plan_is_a_sentence_not_a_wait(plan, tmp_path, spawn):
    process = CanaryProcess({**plan, "address": "nowhere", "every_s": 1}, tmp_path, spawn)
    with pytest.raises(StackError, match=r"exit code 2\).*address"):
        process.ready()


@pytest.mark.parametrize(
    ("body", "lacking", "first"),
    [(b'{"prediction": 0}', 0, ""), (b'{"error": "no"}', 2, "drill-1-0-1 has no prediction")],
)
def test_answers_are_looked_at_for_the_declared_fields(serve, canary, plan, body, lacking, first):
    good = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    first_beat = threading.Event()

    def answer(nth):
        first_beat.set()
        return OOPS if nth == 1 else good

    shape = {**plan["payload"], "response": {"prediction": "/prediction"}}
    process = canary(serve(answer).address, payload=shape)
    assert first_beat.wait(10)
    assert process.probe(2) == [200, 200]
    done = process.stop()
    assert (done["checked"], done["lacking"], done["lacking_example"]) == (2, lacking, first)
