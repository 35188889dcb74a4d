from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tests.faults.processes import live_process
from tocsin.harness.engines.common.ports import choose_ports
from tocsin.harness.faults import make

FAULT = make("fd_exhaustion", {"role": "model", "files": 3})
NONE_LEFT, SOME_LEFT = {"open_files": 9, "open_files_limit": 3}, {"open_files": 9, "open_files_limit": 1024}


def test_the_limit_is_lowered_and_restored_any_number_of_times(tmp_path: Path) -> None:
    fault = make("fd_exhaustion", {"role": "model", "files": 64})  # it may still be starting, which takes a few
    with live_process(tmp_path) as live:
        assert live.process
        process = psutil.Process(live.process.pid)
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        fault.heal(live)
        fault.inject(live)
        fault.inject(live)
        assert process.rlimit(psutil.RLIMIT_NOFILE) == (64, before[1])
        fault.heal(live)
        fault.heal(live)
        assert process.rlimit(psutil.RLIMIT_NOFILE) == before
        assert fault.witness(live).state == "absent"


@pytest.mark.parametrize(("usage", "state"), [(NONE_LEFT, "present"), (SOME_LEFT, "cannot_tell"), ({}, "cannot_tell")])
def test_a_new_connection_without_an_answer_is_present_if_the_kernel_says_why(
    usage: dict[str, float], state: str
) -> None:
    live = FakeLive(f"127.0.0.1:{choose_ports(1)[0]}")
    live.seen = usage
    assert FAULT.witness(live).state == state


@pytest.mark.parametrize(("usage", "state"), [(NONE_LEFT, "cannot_tell"), (SOME_LEFT, "absent")])
def test_a_limit_that_nobody_feels_is_not_believed(usage: dict[str, float], state: str) -> None:
    with answering(200) as (address, _):
        live = FakeLive(address)
        live.seen = usage
        assert FAULT.witness(live).state == state


def test_a_role_without_an_address_is_seen_by_the_kernel_alone() -> None:
    live = FakeLive("127.0.0.1:1")
    live.seen = NONE_LEFT
    seen = make("fd_exhaustion", {"role": "shipper"}).witness(live)
    assert (seen.state, seen.detail) == ("present", "shipper has 9 files open and may have 3")


def test_one_that_did_not_survive_is_started_by_the_heal() -> None:
    live = FakeLive("127.0.0.1:1", runs=False)
    FAULT.heal(live)
    assert live.done == [("restart", "model")]
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
