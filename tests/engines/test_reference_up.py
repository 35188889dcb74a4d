"""The reference stack as it is: everything comes up, is scraped under its own name, pages, breaks and heals."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.engines.tiny_stack import make_timeline
from tocsin.harness import faults
from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import MissingProgram
from tocsin.harness.core.http import call
from tocsin.harness.core.journal import Journal, read_journal
from tocsin.harness.declarations.stack import Stack
from tocsin.harness.engines.common.run_folders import make_run
from tocsin.harness.engines.common.running_stack import RunningStack
from tocsin.harness.engines.kernel.run_processes import pids_of_run
from tocsin.harness.engines.local.engine import LocalEngine

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).parents[2] / "stacks" / "reference"
SPEED = 30.0


class Client:
    """Sends normal requests one after the other."""

    def __init__(self, live: RunningStack) -> None:
        self.live = live
        payload = live.stack.payload
        row = np.load(FOLDER / payload.sample)["live"][0].tolist()
        self.body = payload.body.replace("$row", json.dumps(row)).encode()

    def probe(self, count: int) -> list[int]:
        payload = self.live.stack.payload
        address = self.live.address(payload.role)
        return [call("POST", address, payload.path, body=self.body)[0] for _ in range(count)]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = Stack.model_validate(YAML(typ="safe").load((FOLDER / "stack.yaml").read_text())).at(FOLDER)
    run = make_run("reference", runs=tmp_path_factory.mktemp("runs"), clock=RunClock(SPEED))
    journal = Journal(run.folder / "journal.jsonl", run.clock)
    try:
        with LocalEngine().up(make_timeline(stack, SPEED), run, journal) as live:
            live.attach_prober(Client(live))
            yield live
            began = time.monotonic()
    except MissingProgram as missing:
        pytest.skip(str(missing))
    assert time.monotonic() - began < 5
    assert not pids_of_run(run.id) and not run.work.exists()
    assert len([fact for fact in read_journal(run.folder / "journal.jsonl") if fact.fact == "role_healthy"]) >= 9
    assert (run.folder / "config/prometheus/prometheus.yml").is_file()


def prometheus(live: RunningStack, path: str) -> list[dict[str, object]]:
    status, body = call("GET", live.address("prometheus"), path)
    assert status == 200, body
    content = json.loads(body)["data"]
    found: list[dict[str, object]] = content.get("activeTargets") or content.get("result") or []
    return found


def test_every_target_is_up_under_its_production_name(live: RunningStack) -> None:
    def seen() -> tuple[bool, str]:
        targets = prometheus(live, "/api/v1/targets")
        return bool(targets) and all(target["health"] == "up" for target in targets), json.dumps(targets)

    RunClock().wait_until(seen, awaited="all targets", within_s=20)
    instances = {row["metric"]["instance"] for row in prometheus(live, "/api/v1/query?query=up")}  # type: ignore[index]
    declared = {f"{name}:{port}" for name, role in live.stack.roles.items() for port in role.ports.values()}
    assert instances and instances <= declared


def test_rules_are_loaded_and_the_watchdog_reaches_the_pager(live: RunningStack) -> None:
    status, body = call("GET", live.address("prometheus"), "/api/v1/rules")
    assert status == 200 and json.loads(body)["data"]["groups"]
    record = live.work / "pager" / "notifications.jsonl"

    def seen() -> tuple[bool, str]:
        text = record.read_text() if record.exists() else ""
        return f'"receiver": "{live.stack.signals.watchdog.receiver}"' in text, text[-500:]  # type: ignore[union-attr]

    RunClock().wait_until(seen, awaited="the Watchdog", within_s=30)


@pytest.mark.parametrize("role", ["model", "shipper", "alertmanager"])
def test_a_killed_role_is_seen_and_comes_back(live: RunningStack, role: str) -> None:
    fault, address = faults.make("kill", {"role": role}), live.address(role)
    assert fault.witness(live).state == "absent"
    fault.inject(live)
    assert fault.witness(live).state == "present"
    fault.heal(live)
    assert fault.witness(live).state == "absent"
    assert live.address(role) == address and live.died() == {}


def test_a_model_that_raises_is_seen_and_mended(live: RunningStack) -> None:
    fault = faults.make("model_raises", {"share": 0.3})
    assert fault.witness(live).state == "absent"
    fault.inject(live)
    assert fault.witness(live).state == "present"
    fault.heal(live)
    assert fault.witness(live).state == "absent"
    fault.heal(live)
