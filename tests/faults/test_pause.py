from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.faults.fake_live import fault_stack
from tests.faults.processes import live_process, until
from tocsin.harness.core.errors import StackError
from tocsin.harness.faults import make

FAULT = make("pause", {"role": "model"})


def test_it_freezes_and_lets_go_on_any_number_of_times(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        assert FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        FAULT.inject(live)
        assert until(lambda: FAULT.witness(live).state == "present")
        assert live.process and psutil.Process(live.process.pid).status() == psutil.STATUS_STOPPED
        FAULT.heal(live)
        FAULT.heal(live)
        assert until(lambda: FAULT.witness(live).state == "absent")


def test_a_stop_that_somebody_else_undid_is_not_believed(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        FAULT.inject(live)
        assert live.process
        psutil.Process(live.process.pid).resume()
        assert until(lambda: FAULT.witness(live).state == "absent")


def test_what_is_killed_while_frozen_is_gone(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        FAULT.inject(live)
        live.stop("model", kill=True)  # as the end of the stack does
        FAULT.heal(live)
        with pytest.raises(StackError, match="does not run"):
            FAULT.inject(live)


def test_a_role_that_answers_wrongly_is_not_well(tmp_path: Path) -> None:
    with live_process(tmp_path, status=503) as live:
        assert FAULT.witness(live).state == "cannot_tell"


def test_it_blinds_what_kill_blinds() -> None:
    for role in ("model", "prometheus", "elasticsearch", "node"):
        params = {"role": role}
        assert make("pause", params).blinds(fault_stack()) == make("kill", params).blinds(fault_stack())
