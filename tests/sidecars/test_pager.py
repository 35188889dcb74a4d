from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.sidecars import pager
from tocsin.harness.sidecars.pager import Pager

ALERT = {
    "status": "firing",
    "labels": {"alertname": "Down", "instance": "model:8000"},
    "annotations": {"summary": "It is down."},
    "startsAt": "2024-05-01T10:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "f0",
}
SENT = {
    "version": "4",
    "status": "firing",
    "receiver": "page",
    "groupKey": '{}:{alertname="Down"}',
    "groupLabels": {"alertname": "Down"},
    "truncatedAlerts": 3,
    "alerts": [{**ALERT, "generatorURL": "http://x"}, {**ALERT, "status": "resolved", "fingerprint": "f1"}],
}


class Called:
    """A pager that listens, and what it wrote down."""

    def __init__(self, record: Path, answer: int = 200) -> None:
        self.record = record
        self.pager = Pager(0, record, answer=answer)
        self.thread = threading.Thread(target=self.pager.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.pager.server_port, timeout=5)

    def post(self, path: str, body: bytes) -> int:
        self.connection.request("POST", path, body=body)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.record.read_text().splitlines()]

    def close(self) -> None:
        self.connection.close()
        self.pager.shutdown()
        self.thread.join()
        self.pager.server_close()


@pytest.fixture
def called(tmp_path: Path) -> Iterator[Called]:
    called = Called(tmp_path / "pager" / "notifications.jsonl")
    yield called
    called.close()


def test_a_notification_is_written_before_it_is_answered(called: Called) -> None:
    before = time.time()
    assert called.post("/page", json.dumps(SENT).encode()) == 200
    (line,) = called.lines()
    assert before - 1 <= line.pop("at") <= time.time() + 1
    assert line == {
        "receiver": "page",
        "answered": 200,
        "status": "firing",
        "group_key": '{}:{alertname="Down"}',
        "group_labels": {"alertname": "Down"},
        "truncated": 3,
        "alerts": [ALERT, {**ALERT, "status": "resolved", "fingerprint": "f1"}],
    }


@pytest.mark.parametrize(
    ("path", "receiver"),
    [("/page", "page"), ("/a/b/page/", "page"), ("/on%20call%2Fnight", "on call/night"), ("/page?x=1", "page")],
)
def test_the_receiver_is_the_last_part_of_the_path(called: Called, path: str, receiver: str) -> None:
    assert called.post(path, json.dumps(SENT).encode()) == 200
    assert called.lines()[0]["receiver"] == receiver


def test_one_connection_serves_many_notifications(called: Called) -> None:
    for _ in range(3):
        called.post("/page", json.dumps(SENT).encode())
        local_end = called.connection.sock.getsockname()
    assert called.connection.sock.getsockname() == local_end
    assert len(called.lines()) == 3


def test_another_answer_is_given_and_written(tmp_path: Path) -> None:
    called = Called(tmp_path / "n.jsonl", answer=500)
    assert called.post("/page", json.dumps(SENT).encode()) == 500
    assert [line["answered"] for line in called.lines()] == [500]
    called.connection.request("GET", "/healthz")
    assert called.connection.getresponse().status == 200
    called.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"alerts": 3}', b"\xff"])
def test_what_is_no_notification_is_answered_400_and_not_written(called: Called, body: bytes) -> None:
    assert called.post("/page", body) == 400
    assert called.lines() == []
    assert called.post("/page", json.dumps(SENT).encode()) == 200


@pytest.mark.parametrize(
    "length", [b"Content-Length: 999999\r\n", b"Content-Length: -1\r\n", b"Content-Length: x\r\n", b""]
)
def test_a_torn_body_is_answered_400(called: Called, length: bytes) -> None:
    with socket.create_connection(("127.0.0.1", called.pager.server_port), timeout=5) as torn:
        torn.sendall(b"POST /page HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n" + json.dumps(SENT).encode()[:40])
        torn.shutdown(socket.SHUT_WR)
        assert torn.recv(100).split()[1] == b"400"
    assert called.lines() == []


def test_an_unknown_page_is_404(called: Called) -> None:
    called.connection.request("GET", "/nothing")
    assert called.connection.getresponse().status == 404


def test_many_at_once_are_all_written_whole(called: Called) -> None:
    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", called.pager.server_port, timeout=10)
        for _ in range(20):
            connection.request("POST", "/page", body=json.dumps(SENT).encode())
            connection.getresponse().read()
        connection.close()

    senders = [threading.Thread(target=send) for _ in range(5)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(called.lines()) == 100


def test_it_runs_as_a_file_of_its_own_without_anything_of_ours(tmp_path: Path) -> None:
    (port,) = choose_ports(1)
    argv = [sys.executable, "-I", "-S", pager.__file__, "--port", str(port), "--record", str(tmp_path / "n.jsonl")]
    process = subprocess.Popen([*argv, "--answer", "503"], cwd=tmp_path, env={})
    try:
        deadline = time.monotonic() + 10
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("POST", "/page", body=json.dumps(SENT).encode())
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and process.poll() is None
                time.sleep(0.02)
        assert connection.getresponse().status == 503
        assert json.loads((tmp_path / "n.jsonl").read_text())["answered"] == 503
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
