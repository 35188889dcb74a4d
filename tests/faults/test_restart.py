from __future__ import annotations

from pathlib import Path

from tests.faults.fake_live import fault_stack
from tests.faults.processes import LiveProcess, live_process
from tocsin.harness.faults import make

FAULT = make("restart", {"role": "model"})


def test_another_process_runs_at_once_and_healing_ends_it(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        before = live.process
        assert FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        assert live.process is not before and live.alive("model")
        assert FAULT.witness(live).state == "present"
        FAULT.heal(live)
        FAULT.heal(live)
        assert FAULT.witness(live).state == "absent"


def test_a_restart_that_did_not_happen_is_not_believed(tmp_path: Path, monkeypatch: object) -> None:
    class Stubborn(LiveProcess):
        def stop(self, role: str, *, kill: bool = False) -> None:
            pass

        def restart(self, role: str, *, wait: bool = True) -> None:
            if self.process is None:
                super().restart(role)

    with live_process(tmp_path) as other:
        live = Stubborn(other.at, tmp_path)
        try:
            FAULT.inject(live)
            seen = FAULT.witness(live)
        finally:
            live.end()
    assert (seen.state, seen.detail) == ("absent", "model is the process that it was")


def test_a_role_left_dead_is_started_by_the_heal(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        FAULT.inject(live)
        live.stop("model", kill=True)
        assert FAULT.witness(live).state == "present"
        FAULT.heal(live)
        assert live.alive("model") and FAULT.witness(live).state == "absent"


def test_it_blinds_what_kill_blinds() -> None:
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())
