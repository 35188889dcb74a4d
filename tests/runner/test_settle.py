"""Heal what is left, prove it, and wait until every signal has caught up."""

from pathlib import Path

import pytest

from tests.fake_stack import FakeFault, FakeRecorder, Rig
from tocsin.harness.core.errors import HealError
from tocsin.harness.declarations.timeline import PlannedFault
from tocsin.harness.evidence.evidence import SettledWindow
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.runner.collect import collect
from tocsin.harness.runner.play import Breakage
from tocsin.harness.runner.settle import CATCH_UP_S, HURRY_S, heal_all, settle

PLAY = Interval(start=1000.0, end=1040.0)


def broken(fault: FakeFault, name: str = "x", *, healed: bool = False) -> Breakage:
    awaited = "absent" if healed else "present"
    return Breakage(planned=planned(fault, name), injected=True, healed=healed, awaited=awaited)


def planned(fault: FakeFault, name: str = "x") -> PlannedFault:
    return PlannedFault(name=name, fault=fault, params={}, phase="trouble", inject_s=0, heal_s=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "healed", "calls"),
    [
        (FakeFault("absent"), False, ["heal", "witness"]),
        (FakeFault("present", "cannot_tell", "absent"), False, ["heal", "witness", "witness", "witness"]),
        (FakeFault("absent"), True, ["witness"]),
    ],
)
def test_what_is_left_is_healed_and_proved(tmp_path: Path, fault: FakeFault, healed: bool, calls: list[str]) -> None:
    rig = Rig(tmp_path)
    heal_all([broken(fault, healed=healed)], rig.live, rig.journal, rig.clock, hurry=False)
    assert fault.calls == calls


def test_what_was_never_injected_is_left_alone(tmp_path: Path) -> None:
    rig, fault = Rig(tmp_path), FakeFault("present")
    heal_all([Breakage(planned=planned(fault))], rig.live, rig.journal, rig.clock, hurry=False)
    assert fault.calls == []


@pytest.mark.parametrize(("hurry", "within_s"), [(False, CATCH_UP_S), (True, HURRY_S)])
def test_what_cannot_be_healed_is_named_and_the_others_are_healed(tmp_path: Path, hurry: bool, within_s: float) -> None:
    rig, other = Rig(tmp_path), FakeFault("absent")
    stuck = broken(FakeFault("present"), "stuck")
    failing = broken(FakeFault("absent", failing_heals=1), "failing")
    with pytest.raises(HealError, match=r"stuck .*failing \(stuck\)") as raised:
        heal_all([stuck, failing, broken(other)], rig.live, rig.journal, rig.clock, hurry=hurry)
    assert raised.value.exit_code == 70
    assert other.calls[0] == "heal"
    assert rig.clock.now() - 1000 == pytest.approx(within_s, abs=0.5)


def test_settle_waits_for_the_slowest_signal(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder("metrics", caught_up_after=3), FakeRecorder("logs", caught_up_after=20)]
    window = settle(rig.live, rig.run, rig.journal, recorders, PLAY, hurry=False)
    assert (window.behind, window.play) == ({}, PLAY)
    assert 1001.5 < window.settled_at < 1003
    assert [more["done"] for _, more in rig.facts("caught_up")] == [True, True]


@pytest.mark.parametrize(("hurry", "within_s"), [(False, CATCH_UP_S), (True, HURRY_S)])
def test_a_signal_that_never_catches_up_is_named(tmp_path: Path, hurry: bool, within_s: float) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder("metrics"), FakeRecorder("logs", caught_up_after=None)]
    window = settle(rig.live, rig.run, rig.journal, recorders, PLAY, hurry=hurry)
    assert window.behind == {"logs": "logs is late"}
    assert window.settled_at - 1000 == pytest.approx(within_s, abs=0.5)


def test_a_stream_that_breaks_does_not_cost_the_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder("metrics", crash=True), FakeRecorder("logs")]
    collect(SettledWindow(play=PLAY, settled_at=1050.0), rig.live, rig.run, rig.journal, recorders)
    assert [recorder.calls for recorder in recorders] == [["stop", "collect"]] * 2
    assert rig.facts("collected") == [("collected", {"stream": "logs", "count": 3})]
    assert "Collecting metrics failed: ValueError: broken stream." in rig.facts("error")[0][1]["message"]
