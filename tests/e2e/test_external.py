"""A drill on a system that runs already: with leave only, and whatever happens, the system is as it was before."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.drills import ROOT, Played, finished, start
from tests.e2e.test_ways_out import noted, nothing_left, until

pytestmark = pytest.mark.e2e

SCENARIO = """\
version: 1
name: elsewhere
summary: One prediction in two fails for some seconds, on a system that is not ours.
stack: "null"
traffic: {rate_per_s: 30, arrivals: constant}
timeline:
  - {phase: baseline, for: 2s}
  - {phase: trouble, for: 6s, faults: [{model_raises: {share: 0.5}, for: 4s, name: failing}]}
  - {phase: recovery, for: 2s}
expect:
  - load/delivered: {}
  - service/answers: {}
  - service/answers: {in: recovery}
"""


@dataclass(frozen=True)
class System:
    """The service that somebody else runs, and the stack folder that says where."""

    process: subprocess.Popen[bytes]
    control: int
    stack: Path
    scenario: Path
    runs: Path

    def broken(self) -> bool:
        """Tell whether the fault is on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=2)
        connection.request("GET", "/faults/model_raises")
        on: bool = json.loads(connection.getresponse().read())["on"]
        return on

    def drill(self, *more: str) -> subprocess.Popen[str]:
        argv = ("run", str(self.scenario), "--stack", str(self.stack), "--engine", "external", *more)
        return start(self.runs, *argv)

    def play(self, *more: str) -> Played:
        return finished(self.drill(*more), self.runs, "elsewhere", within_s=60)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    port, control = (probe.getsockname()[1] for probe in probes)
    for probe in probes:
        probe.close()
    stack = tmp_path / "stack"
    shutil.copytree(ROOT / "stacks" / "null", stack)
    text = (stack / "stack.yaml").read_text()
    ports = "    ports: {http: 8000, control: 8001}\n"
    assert ports in text
    here = f'    external: {{http: "127.0.0.1:{port}", control: "127.0.0.1:{control}"}}\n'
    (stack / "stack.yaml").write_text(f"allow_faults: [model_raises]\n{text.replace(ports, ports + here)}")
    (tmp_path / "elsewhere.yaml").write_text(SCENARIO)
    argv = [sys.executable, str(stack / "service.py"), "--port", str(port), "--control-port", str(control)]
    process = subprocess.Popen(argv)
    found = System(process, control, stack, tmp_path / "elsewhere.yaml", tmp_path / "runs")
    until(lambda: socket.socket().connect_ex(("127.0.0.1", control)) == 0, 10, "the service")
    yield found
    process.kill()
    process.wait(5)


def test_with_leave_it_is_played_and_the_system_runs_on(system: System) -> None:
    played = system.play("--allow-faults")
    assert played.code == 0, played.output
    assert [one["answer"] for one in played.verdicts] == ["pass"] * 3
    assert played.folder is not None
    fault = [json.loads(line) for line in (played.folder / "journal.jsonl").read_text().splitlines()]
    assert {"present", "absent"} <= {fact.get("state") for fact in fault}
    assert system.process.poll() is None
    assert not system.broken()
    nothing_left(played.folder.name, 1)


def test_without_leave_or_at_a_speed_nothing_is_started(system: System) -> None:
    played = system.play("--speed", "2")
    assert (played.code, played.folder) == (64, None), played.output
    assert "--allow-faults was not given" in played.output
    assert "expected 1: the times of an external stack cannot be divided" in played.output


def test_after_a_sigkill_the_guardian_heals_what_is_not_ours(system: System) -> None:
    process = system.drill("--allow-faults")
    link = system.runs / "elsewhere" / "latest"
    until(lambda: (link / "journal.jsonl").exists() and noted(link, "injected"), 30, "the fault")
    folder = link.resolve()
    assert system.broken()
    process.kill()
    process.communicate(timeout=10)
    until(lambda: not system.broken(), 10, "the guardian to heal")
    nothing_left(folder.name, 10)
    assert system.process.poll() is None
    until(lambda: noted(folder, "guardian_cleaned"), 5, "the guardian's word")
