"""Every canary on every signal, or no play."""

from math import inf
from pathlib import Path

import pytest

from tests.fake_stack import FakeRecorder, Rig
from tocsin.harness.core.errors import RoleDied
from tocsin.harness.runner.ready import NotReady, ready


def test_ready_when_every_canary_was_seen(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder("metrics", 2), FakeRecorder("logs", 5)]
    seen = ready(rig.live, rig.run, rig.journal, recorders, within_s=inf, keep_going=False)
    assert seen == {"metrics": True, "logs": True}
    assert [more["signal"] for _, more in rig.facts("canary")] == ["metrics", "logs"]


@pytest.mark.parametrize("silent", ["metrics", "logs", "alerts"])
def test_one_silent_signal_stops_the_drill_by_name(tmp_path: Path, silent: str) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder(name, None if name == silent else 0) for name in ("metrics", "logs", "alerts")]
    with pytest.raises(NotReady, match=f"last seen: {silent}: {silent} is silent") as raised:
        ready(rig.live, rig.run, rig.journal, recorders, within_s=inf, keep_going=False)
    assert raised.value.exit_code == 2
    assert {more["signal"]: more["seen"] for _, more in rig.facts("canary")}[silent] is False


def test_keep_going_plays_without_the_silent_signal(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    recorders = [FakeRecorder("metrics", None), FakeRecorder("logs")]
    assert ready(rig.live, rig.run, rig.journal, recorders, within_s=inf, keep_going=True) == {
        "metrics": False,
        "logs": True,
    }
    assert rig.facts("ready")[-1][1] == {"signals": {"metrics": False, "logs": True}}


def test_a_server_that_dies_is_named_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.live.dead = {"model": "model ended with exit code 3."}
    before = rig.clock.now()
    with pytest.raises(RoleDied, match="exit code 3"):
        ready(rig.live, rig.run, rig.journal, [FakeRecorder("metrics", None)], within_s=inf, keep_going=True)
    assert rig.clock.now() == before


@pytest.mark.parametrize(("within_s", "waited_s"), [(inf, 40.0), (5.0, 5.0), (100.0, 40.0), (-1.0, 0.0)])
def test_the_patience_is_bounded(tmp_path: Path, within_s: float, waited_s: float) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(NotReady):
        ready(
            rig.live,
            rig.run,
            rig.journal,
            [FakeRecorder("metrics", None)],
            keep_going=False,
            within_s=within_s,
        )
    assert rig.clock.now() - 1000 == pytest.approx(waited_s, abs=0.2)
