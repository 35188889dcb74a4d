"""Kills drills at seeded moments and looks what is left of them. Each plays in a temporary folder of its own.

That folder is in the environment of every process of the drill, its guardian too, so nothing escapes the search; and
no other start sweeps there, so what is gone was taken away by this drill's own guardian.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.drills import ROOT, TOCSIN, start
from tests.e2e.shared_stack import lacking, reference

SEED = 2026
GONE_S = 10.0
"""So long after the kill nothing may be left."""
ENDS_S = 90.0
"""So long may a harness take to end by itself once its generator was killed, healing and collecting included."""
LOCUST = "tocsin.harness.traffic.locust"
GUARDIAN = "tocsin.harness.engines.guardian.guardian"


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A drill to be killed: on which stack, who is killed, and until when a moment is drawn, in wall seconds."""

    stack: str
    who: str
    scenario: Path
    longest_s: float


def null_scenario() -> Path:
    """Return a drill of the null stack in which something is broken nearly all the time."""
    return ROOT / "stacks" / "null" / "scenarios" / "soak.yaml"


def reference_scenario(folder: Path) -> Path:
    """Write a drill of the reference stack with every outliving fault that this machine can play; return its path."""
    stack = reference()
    wanted: list[dict[str, Any]] = [
        {"disk_full": {"disk": "request-log"}, "name": "full"},
        {"memory_pressure": {"role": "shipper-exporter"}, "name": "pressed"},
        {"pause": {"role": "node"}, "name": "frozen"},
        {"net_latency": {"edge": "prometheus -> gpu", "delay_ms": 50}, "name": "slow_way"},
        {"cpu_hog": {"processes": 1}, "name": "neighbour"},
    ]
    playable = [one for one in wanted if not lacking(next(iter(one)), next(iter(one.values())), stack)]
    content = {
        "version": 1,
        "name": "soak",
        "summary": "What outlives a stack is broken for most of the time.",
        "stack": "reference",
        "seed": SEED,
        "traffic": {"users": "predict", "rate_per_s": 50, "arrivals": "constant"},
        "timeline": [
            {"phase": "baseline", "for": "2m"},
            {"phase": "trouble", "for": "18m", "faults": [{**one, "for": "16m"} for one in playable]},
        ],
        "expect": [{"load/delivered": {"tolerance": 0.5}}],
    }
    path = folder / "soak.yaml"
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


def of_drill(place: Path) -> list[int]:
    """Return the living processes that have this temporary folder in their environment."""
    mark, found = f"TMPDIR={place}".encode(), []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:
            continue
    return found


def running(place: Path, module: str) -> list[int]:
    """Return those of them that run a module."""
    found = []
    for pid in of_drill(place):
        try:
            if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def groups_of(place: Path) -> list[str]:
    """Return the memory groups that the drill says it has made."""
    found: list[str] = []
    for path in place.glob("tocsin-*/engine.json"):
        try:
            found += json.loads(path.read_text(encoding="utf-8")).get("groups", [])
        except (OSError, ValueError):
            continue
    return found


def ports_of(pids: list[int]) -> list[int]:
    """Return the loopback ports on which these processes listen."""
    mine = set(pids)
    return [c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in mine]


def accepts(port: int) -> bool:
    """Tell whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def left(place: Path, ports: list[int], groups: list[str]) -> dict[str, int]:
    """Count what is still there of a drill."""
    pids = of_drill(place)
    mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    return {
        "processes": len(pids),
        "paused": sum(psutil.pid_exists(pid) and _stopped(pid) for pid in pids),
        "ports": sum(accepts(port) for port in ports),
        "folders": len(list(place.glob("tocsin-*"))),
        "mounts": sum(line.split()[1].startswith(f"{place}/") for line in mounts),
        "groups": sum(Path(group).exists() for group in groups),
        "loops": sum(_backed(path, place) for path in Path("/sys/block").glob("loop*/loop/backing_file")),
    }


def _backed(loop: Path, place: Path) -> bool:
    try:
        return f"{place}/" in loop.read_text(encoding="utf-8")
    except OSError:
        return False


def _stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def until(seen: Callable[[], object], within_s: float) -> float:
    """Wait for an event, bounded; return the seconds it took, also when it did not come."""
    began = time.monotonic()
    while not seen() and time.monotonic() - began < within_s:
        time.sleep(0.02)
    return time.monotonic() - began


def play_and_kill(job: str, victim: Victim) -> dict[str, Any]:
    """Start a drill, kill who is to be killed at a moment drawn for this job, and count what is left."""
    place = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    place.chmod(0o755)
    moment_s = round(random.Random(f"{SEED} {job}").uniform(0.3, victim.longest_s), 2)
    environment = {**os.environ, "TMPDIR": str(place)}
    process = start(place / "runs", "run", str(victim.scenario), "--speed", "30", environment=environment)
    try:
        began = time.monotonic()
        if victim.who in ("locust", "both"):
            until(lambda: running(place, LOCUST) or process.poll() is not None, 60.0)
            moment_s = moment_s / 2
            began = time.monotonic()
        until(lambda: process.poll() is not None, began + moment_s - time.monotonic())
        row = _kill(place, victim.who, process)
        return {"who": victim.who, "stack": victim.stack, "moment_s": moment_s, **row}
    finally:
        for pid in of_drill(place):
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        shutil.rmtree(place, ignore_errors=True)


def _kill(place: Path, who: str, process: subprocess.Popen[str]) -> dict[str, Any]:
    pids = of_drill(place)
    ports, groups, stage = ports_of(pids), groups_of(place), _stage(place)
    for pid in running(place, GUARDIAN) if who == "guardian" else ():
        os.kill(pid, signal.SIGKILL)
    for pid in running(place, LOCUST) if who in ("locust", "both") else ():
        os.kill(pid, signal.SIGKILL)
    if who == "interrupt":
        process.send_signal(signal.SIGINT)
    elif who != "locust":
        process.kill()
    began = time.monotonic()
    if who in ("locust", "interrupt"):  # the harness cleans up itself: what counts is what it leaves
        until(lambda: process.poll() is not None, ENDS_S)
    process.poll()
    row: dict[str, Any] = {"stage": stage, "were": len(pids), "ended_s": round(time.monotonic() - began, 2)}
    if who == "guardian":
        until(lambda: process.poll() is not None, GONE_S)
        row["unswept"] = sum(left(place, ports, groups).values())
        _sweep(place)
    counted: dict[str, int] = {}

    def nothing() -> bool:
        counted.update(left(place, ports, groups))
        return not any(counted.values())

    until(nothing, GONE_S)
    gone_s = round(time.monotonic() - began, 2)
    return {**row, "gone_s": gone_s, "left": {name: count for name, count in counted.items() if count}}


def _stage(place: Path) -> str:
    """Return the last fact of the run's journal: how far it had come."""
    for journal in place.glob("runs/*/*/journal.jsonl"):
        facts = [line for line in journal.read_text(encoding="utf-8", errors="replace").splitlines() if line]
        try:
            return str(json.loads(facts[-1])["fact"]) if facts else "started"
        except ValueError:
            return "torn"
    return "not begun"


def _sweep(place: Path) -> None:
    """Let the owner of the machine sweep."""
    environment = {**os.environ, "TMPDIR": str(place)}
    subprocess.run([*TOCSIN, "sweep"], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)


def main() -> None:
    """Kill one drill by hand: `python -m tests.e2e.killing null|reference WHO JOB`."""
    stack, who, job = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        scenario = null_scenario() if stack == "null" else reference_scenario(Path(folder))
        longest_s = 11.0 if stack == "null" else 55.0
        print(json.dumps(play_and_kill(job, Victim(stack=stack, who=who, scenario=scenario, longest_s=longest_s))))


if __name__ == "__main__":
    main()
