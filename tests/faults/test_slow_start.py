from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from tests.faults.fake_live import fault_stack
from tests.faults.processes import LiveProcess, live_process, until
from tocsin.harness.faults import make
from tocsin.harness.faults.bases import role as roles

FAULT = make("slow_start", {"role": "model"})


def test_the_new_process_stands_still_until_the_heal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with live_process(tmp_path) as live:
        before = live.process
        FAULT.heal(live)
        assert live.process is before and FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        assert live.process and live.process is not before
        stopped = psutil.Process(live.process.pid)
        assert until(lambda: stopped.status() == psutil.STATUS_STOPPED)
        live.at = "127.0.0.1:1"  # as the address of a process that has not come so far
        seen = FAULT.witness(live)
        assert seen.state == "present" and "began later; model at 127.0.0.1:1/ready: " in seen.detail
        FAULT.heal(live)
        FAULT.heal(live)
        assert until(lambda: live.frozen("model") == (0, 1))
        monkeypatch.setattr(roles, "call", lambda *_, **__: (200, ""))
        assert FAULT.witness(live).state == "absent"


def test_a_start_that_was_not_slow_is_not_believed(tmp_path: Path) -> None:
    class Quick(LiveProcess):
        def signal(self, role: str, number: int) -> int:
            return 0 if number == signal.SIGSTOP else super().signal(role, number)

    with live_process(tmp_path) as other:
        live = Quick(other.at, tmp_path)
        try:
            FAULT.inject(live)
            seen = FAULT.witness(live)
        finally:
            live.end()
    assert (seen.state, seen.detail) == ("absent", "model is a process that began later, and is up")


def test_it_blinds_what_kill_blinds_and_needs_a_freeze() -> None:
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
    assert "capability:freeze" in FAULT.needs()
