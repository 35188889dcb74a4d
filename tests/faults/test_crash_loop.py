from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fake_live import FakeLive, fault_stack
from tests.faults.processes import live_process
from tocsin.harness.faults import make

FAULT = make("crash_loop", {"role": "model", "up": "1m", "down": "15s"})


def test_each_turn_kills_what_runs_or_starts_what_does_not(tmp_path: Path) -> None:
    live = FakeLive("127.0.0.1:1")
    live.work = tmp_path
    FAULT.inject(live)
    FAULT.inject(live)
    (turn,) = live.turns.values()
    assert [turn(), turn(), turn()] == [0.5, 2.0, 0.5]  # 15 s down, 1 m up, at speed 30
    assert live.done == [("stop", "model", True), ("restart", "model"), ("stop", "model", True)]
    FAULT.heal(live)
    FAULT.heal(live)
    assert live.turns == {} and live.alive("model")
    assert [done[0] for done in live.done].count("restart") == 2


def test_a_loop_that_kills_nothing_is_not_believed(tmp_path: Path) -> None:
    with live_process(tmp_path) as live:
        assert FAULT.witness(live).state == "absent"
        FAULT.inject(live)
        assert FAULT.witness(live).state == "absent"  # no turn was made yet: it is the process that it was
        (turn,) = live.turns.values()
        turn()
        assert (FAULT.witness(live).state, FAULT.witness(live).detail) == ("present", "model does not run")
        turn()
        assert FAULT.witness(live).detail == "model is a process that began later"
        FAULT.heal(live)
        assert FAULT.witness(live).state == "absent"


def test_it_blinds_what_kill_blinds() -> None:
    assert FAULT.blinds(fault_stack()) == make("kill", {"role": "model"}).blinds(fault_stack())


@pytest.mark.parametrize("params", [{"up": 0}, {"down": -1}, {"up": "soon"}])
def test_times_that_mean_nothing_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="up|down"):
        make("crash_loop", {"role": "model", **params})
