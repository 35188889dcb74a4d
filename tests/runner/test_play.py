"""THE loop: steps at their times, witnesses until seen, and every way it can be stopped."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_stack import FakeFault, FakeTraffic, Rig
from tests.planning.test_planner import planned
from tocsin.harness.core.errors import RoleDied, StackError
from tocsin.harness.runner.play import LEAD_S, Breakage, Playing, play


def playing(tmp_path: Path, fault: FakeFault, **more: object) -> tuple[Rig, Playing]:
    rig, timeline = Rig(tmp_path), planned(tmp_path)
    breakage = Breakage(planned=replace(timeline.faults[0], fault=fault))
    settings = {"traffic": FakeTraffic(), "breakages": {"failing": breakage}} | more
    return rig, Playing(timeline=timeline, live=rig.live, journal=rig.journal, clock=rig.clock, **settings)


def test_steps_happen_in_order_and_at_their_times(tmp_path: Path) -> None:
    rig, drill = playing(tmp_path, FakeFault("present", "absent"))
    play(drill)
    start = 1000.0 + LEAD_S
    assert drill.traffic.started == start
    assert [name for name, _ in rig.facts() if name != "witness"] == [
        "traffic_started",
        "phase_started",
        "phase_started",
        "inject",
        "injected",
        "heal",
        "healed",
        "phase_started",
        "play_ended",
    ]
    assert rig.clock.now() == pytest.approx(start + 40)


def test_it_is_written_down_before_it_is_done(tmp_path: Path) -> None:
    rig, drill = playing(tmp_path, FakeFault("present", crash=OSError("no hook")))
    with pytest.raises(OSError, match="no hook"):
        play(drill)
    assert rig.live.guarded == ["failing"]
    assert drill.breakages["failing"].injected, "a fault that broke half way must still be healed"
    assert [name for name, _ in rig.facts("inject", "injected")] == ["inject"]


WITNESSES = [
    (("present", "absent"), ["present", "absent"]),
    (("absent", "absent", "present", "absent"), ["absent", "absent", "present", "absent"]),
    (("cannot_tell", "present", "present", "absent"), ["cannot_tell", "present", "present", "absent"]),
    (("crash", "present", "absent"), ["cannot_tell", "present", "absent"]),
]


@pytest.mark.parametrize(("states", "noted"), WITNESSES)
def test_a_witness_is_asked_until_it_has_seen(tmp_path: Path, states: tuple[str, ...], noted: list[str]) -> None:
    rig, drill = playing(tmp_path, FakeFault(*states))
    play(drill)
    assert [more["state"] for _, more in rig.facts("witness")] == noted


def test_a_fault_that_never_shows_is_asked_again_and_again_but_bounded(tmp_path: Path) -> None:
    rig, drill = playing(tmp_path, FakeFault("absent"))
    play(drill)
    states = [more["state"] for _, more in rig.facts("witness")]
    assert set(states) == {"absent"}
    assert 10 < len(states) < 60


def test_a_server_that_dies_in_play_ends_it(tmp_path: Path) -> None:
    rig, drill = playing(tmp_path, FakeFault("present"))
    rig.live.dead = {"model": "model ended with exit code 9."}
    with pytest.raises(RoleDied, match="exit code 9"):
        play(drill)
    assert rig.facts("role_died")[0][1]["role"] == "model"


def test_a_generator_that_dies_ends_it(tmp_path: Path) -> None:
    rig, drill = playing(
        tmp_path, FakeFault("present"), traffic=FakeTraffic(StackError("The traffic process ended."), after=20)
    )
    with pytest.raises(StackError, match="traffic process"):
        play(drill)
    assert not rig.facts("play_ended")


def test_the_timeout_ends_it_with_a_sentence(tmp_path: Path) -> None:
    rig, drill = playing(tmp_path, FakeFault("present"), deadline=1010.0)
    with pytest.raises(StackError, match="--timeout"):
        play(drill)
    assert rig.clock.now() == pytest.approx(1010, abs=0.5)


def test_the_live_view_is_told_where_play_is(tmp_path: Path) -> None:
    seen: list[dict] = []
    _, drill = playing(tmp_path, FakeFault("present", "absent"), watch=seen.append)
    play(drill)
    assert {update["phase"] for update in seen} == {"", "baseline", "trouble", "recovery"}
    assert [update["elapsed_s"] for update in seen] == sorted(update["elapsed_s"] for update in seen)
    assert any(update["faults"] == ["failing"] for update in seen)
    assert seen[-1]["elapsed_s"] == pytest.approx(1200)
