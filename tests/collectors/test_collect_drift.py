import pytest

from tests.collectors.servers import Rig, serving
from tests.fake_clock import FakeClock
from tocsin.harness.collectors.drift_heartbeat import DriftCollector

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("stamps", "seen", "caught_up"),
    [
        ([NOW - 1], True, True),
        ([NOW - 6], True, False),  # due each 5 s: two are allowed before play, one at the end
        ([NOW - 13], False, False),
        ([NOW - 1, NOW - 13], False, False),  # the slowest replica counts
        ([0.0], False, False),
        ([], False, False),
    ],
)
@pytest.mark.parametrize("speed", [1.0, 5.0])
def test_the_last_check_must_be_recent(tmp_path, stamps, seen, caught_up, speed):
    stamps = [stamp and NOW - (NOW - stamp) / speed * (1 if seen else 5) for stamp in stamps]
    result = [{"metric": {}, "value": [NOW, str(stamp)]} for stamp in stamps]
    with serving(lambda method, path, given: (200, {"data": {"result": result}})) as server:
        rig = Rig(tmp_path, {"prometheus": server.address}, speed=speed, clock=FakeClock(start=NOW))
        collector = rig.start(DriftCollector())
        assert collector.seen_canary(rig.live, rig.run)[0] is seen
        assert collector.caught_up(rig.live, rig.run, NOW)[0] is caught_up
        assert rig.collect(collector) == 0


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ([], "drift_checked has no sample"),
        ([{"metric": {}, "value": [NOW, "0"]}], "drift_checked is 0: no check yet"),
        ([{"metric": {}, "value": [NOW, str(NOW - 20)]}], "the last check was 20.0 s before, 12.0 s allowed"),
    ],
)
def test_the_last_state_is_named(tmp_path, result, state):
    with serving(lambda method, path, given: (200, {"data": {"result": result}})) as server:
        rig = Rig(tmp_path, {"prometheus": server.address}, clock=FakeClock(start=NOW))
        assert rig.start(DriftCollector()).seen_canary(rig.live, rig.run) == (False, state)


def test_a_stack_without_a_drift_check_waits_for_none(tmp_path):
    rig = Rig(tmp_path, {}, drift=None)
    collector = rig.start(DriftCollector())
    assert collector.seen_canary(rig.live, rig.run)[0] is True
    assert collector.caught_up(rig.live, rig.run, NOW)[0] is True


def test_a_dead_prometheus_is_an_answer(tmp_path):
    rig = Rig(tmp_path, {})
    done, state = rig.start(DriftCollector()).seen_canary(rig.live, rig.run)
    assert not done
    assert "Connection refused" in state
