"""The service as a process: ports, readiness, refused connections, an orderly end; and the exporters' processes."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

STACK = Path(__file__).resolve().parents[3] / "stacks" / "reference"
ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, method="GET", document=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = None if document is None else json.dumps(document)
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def wait_for(port, path, process):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        try:
            return ask(port, path)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answered at {path} within 20 s")


@pytest.fixture
def start():
    processes = []

    def run(*argv, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, argv)],
            cwd=STACK,
            env={**os.environ, "TOCSIN_FAULTS": "", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_service_from_start_to_end(start, tmp_path):
    port, control, log = free_port(), free_port(), tmp_path / "logs" / "requests.jsonl"
    process = start(
        "service", "--port", port, "--control-port", control, "--log", log,
        TOCSIN_FAULTS="1", DRIFT_CHECK_INTERVAL_S="0.1",
    )  # fmt: skip
    assert wait_for(port, "/readyz", process) == (200, '{"ready":true}')
    assert ask(port, "/v2/health/ready")[0] == 200
    assert ask(port, "/predict", "POST", {"features": ROW})[0] == 200
    assert ask(control, "/faults/model_raises", "PUT", {"share": 1})[0] == 200
    assert ask(port, "/predict", "POST", {"features": ROW})[0] == 500
    assert ask(control, "/faults/model_raises", "DELETE") == (200, "{}")
    assert 'ml_predictions_total{model_name="shuttle",status="error"} 1.0' in ask(port, "/metrics")[1]
    listening = [part for part in ask(port, "/metrics")[1].splitlines() if part.startswith("ml_drift_last_check")]
    assert float(listening[0].split()[1]) > time.time() - 10
    process.send_signal(signal.SIGTERM)
    assert process.wait(3) == 0
    assert [json.loads(line)["status"] for line in log.read_text().splitlines()] == [200, 500]


def test_without_the_switch_there_is_no_control_port(start, tmp_path):
    port, control = free_port(), free_port()
    process = start("service", "--port", port, "--control-port", control, "--log", tmp_path / "requests.jsonl")
    wait_for(port, "/readyz", process)
    with pytest.raises(ConnectionRefusedError):
        ask(control, "/faults")
    assert ask(port, "/faults")[0] == 404


def test_sigterm_finishes_the_request_in_flight(start, tmp_path):
    port = free_port()
    process = start("service", "--port", port, "--log", tmp_path / "requests.jsonl")
    wait_for(port, "/readyz", process)
    body = json.dumps({"features": ROW}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:5])
        while "ml_requests_in_flight 1.0" not in ask(port, "/metrics")[1]:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while True:  # no new connections any more: the signal has been taken
            try:
                ask(port, "/healthz")
            except OSError:
                break
        client.sendall(body[5:])
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert process.wait(3) == 0


def test_a_wrong_timer_is_told_at_the_start(start, tmp_path):
    process = start("service", "--log", tmp_path / "requests.jsonl", DRIFT_WINDOW_S="0")
    assert process.wait(20) != 0
    assert "DRIFT_WINDOW_S is 0.0; expected seconds above 0" in process.stderr.read()


@pytest.mark.parametrize(
    ("module", "arguments", "shown"),
    [
        ("exporters.gpu", ("--simulate", "2"), "DCGM_FI_DEV_GPU_TEMP{Hostname="),
        ("exporters.shipper", ("--stats", "nowhere.json"), "process_cpu_seconds_total"),
    ],
)
def test_an_exporter_from_start_to_end(start, module, arguments, shown):
    port = free_port()
    process = start(module, "--port", port, *arguments)
    status, text = wait_for(port, "/metrics", process)
    assert status == 200 and shown in text
    process.send_signal(signal.SIGTERM)
    assert process.wait(3) == 0
