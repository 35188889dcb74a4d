"""The stack with `docker compose` alone, as somebody uses it who has never seen Tocsin: rsyslog variant, profile logs.

Skipped, with the reason, where no Docker engine is, or where an image would have to be pulled first.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.containers import engine

pytestmark = pytest.mark.e2e

STACK = Path(__file__).resolve().parents[2] / "stacks" / "reference"
PROJECT = f"plain-{os.getpid()}"
FILES = ["-p", PROJECT, "-f", "compose.yaml", "-f", "compose.rsyslog.yaml", "--profile", "logs"]
ROW = b'{"features": [50, 21, 77, 0, 28, 0, 27, 48, 22]}'
UP_S, SOON_S = 180, 30


class Plain:
    """The stack by its project name; ports are Docker's choice."""

    def __init__(self, docker):
        self.docker = docker
        free = {f"{name}_PORT": "0" for name in ("MODEL", "PROMETHEUS", "ALERTMANAGER", "ELASTICSEARCH")}
        self.environment = {**docker.environment, **free}

    def compose(self, *argv, within_s=60.0):
        command = [self.docker.cli, "compose", *FILES, *argv]
        done = subprocess.run(
            command, cwd=STACK, env=self.environment, capture_output=True, text=True, timeout=within_s, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def ask(self, service, port, path, body=None):
        address = self.compose("port", service, str(port)).strip()
        assert address.startswith("127.0.0.1:")
        kind = {"content-type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}", body, kind), timeout=5) as answer:
            return json.loads(answer.read() or b"null")

    def containers(self):
        names = self.docker.run(["ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}"], within_s=20)
        return json.loads(self.docker.run(["inspect", *names.split()], within_s=20)) if names.split() else []


@pytest.fixture(scope="module")
def plain():
    stack = Plain(engine())
    for image in sorted(set(stack.compose("config", "--images").split())):
        here = subprocess.run([stack.docker.cli, "image", "inspect", image], env=stack.environment, capture_output=True)
        if here.returncode and not image.startswith("reference-"):
            pytest.skip(f"{image} is not here; `tocsin doctor --engine compose --pull` brings it")
    try:
        stack.compose("up", "--detach", "--wait", within_s=UP_S)
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "3", within_s=90)
        for kind in ("container", "network", "volume"):
            argv = [kind, "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}"]
            assert stack.docker.run(argv + (["-a"] if kind == "container" else []), within_s=20).split() == []


def soon(what, wanted):
    """Ask until the answer is as wanted, SOON_S at most; return the last answer."""
    until = time.monotonic() + SOON_S
    while True:
        try:
            seen = what()
        except (urllib.error.URLError, KeyError) as error:
            seen = error
        if seen == wanted or time.monotonic() > until:
            return seen
        time.sleep(0.3)


def test_every_target_is_up(plain):
    def targets():
        found = plain.ask("prometheus", 9090, "/api/v1/targets")["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in found}

    jobs = ("ml-inference", "node-exporter", "gpu-metrics", "prometheus", "alertmanager", "shipper")
    wanted = dict.fromkeys(jobs, "up")
    assert soon(targets, wanted) == wanted


def test_a_request_becomes_a_document_under_its_id(plain):
    request_id = plain.ask("model", 8000, "/predict", ROW)["request_id"]

    def document():
        found = plain.ask("elasticsearch", 9200, f"/ml-logs-*/_search?q=request_id:{request_id}")
        return [(hit["_id"], hit["_source"]["status"]) for hit in found["hits"]["hits"]]

    assert soon(document, [(request_id, 200)]) == [(request_id, 200)]


def test_the_pager_prints_what_would_page(plain):
    def printed():
        return "watchdog: firing Watchdog" in plain.compose("logs", "pager", "--no-log-prefix")

    # Prometheus drops the first alert after its start and sends the next a minute later: too long to wait for.
    plain.ask("alertmanager", 9093, "/api/v2/alerts", b'[{"labels": {"alertname": "Watchdog"}}]')
    assert soon(printed, True) is True


def test_containers_are_as_closed_as_the_file_says(plain):
    found = plain.containers()
    assert len(found) == 10
    for each in found:
        name, host = each["Config"]["Labels"]["com.docker.compose.service"], each["HostConfig"]
        assert each["Config"]["User"].partition(":")[0] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"], name
        assert host["Memory"] > 0 and host["NanoCpus"] > 0 and host["PidsLimit"] > 0, name
        bound = [binding["HostIp"] for some in (host["PortBindings"] or {}).values() for binding in some or ()]
        assert set(bound) <= {"127.0.0.1"}, name
