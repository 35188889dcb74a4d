"""What master and workers share: proofs of the token, clocks over a network, silence, and sums."""

import itertools

import pytest

from tests.fake_clock import FakeClock
from tocsin.harness.traffic.locust.master_protocol import (
    ClockProbe,
    SilenceTimer,
    named_files,
    proof,
    proved,
    sealed_plan,
    summed,
)


@pytest.mark.parametrize(
    ("said", "token", "parts", "good"),
    [
        (proof("secret", "worker", "n1"), "secret", ("worker", "n1"), True),
        (proof("secret", "worker", "n1"), "secret", ("worker", "n2"), False),
        (proof("secret", "worker", "n1"), "other", ("worker", "n1"), False),
        (proof("secret", "master", "n1"), "secret", ("worker", "n1"), False),
        (proof("secret", "ab", "c"), "secret", ("a", "bc"), False),
        ("", "secret", ("worker", "n1"), False),
        ("é", "secret", ("worker", "n1"), False),
        (None, "secret", ("worker", "n1"), False),
        (b"bytes", "secret", ("worker", "n1"), False),
    ],
)
def test_only_who_knows_the_token_can_answer(said, token, parts, good):
    assert proved(said, token, *parts) is good


@pytest.mark.parametrize(
    ("plan", "files", "same"),
    [
        ("{}", {"/a": b"1", "/b": b"2"}, True),
        ("{} ", {"/a": b"1", "/b": b"2"}, False),
        ("{}", {"/a": b"1", "/b": b"3"}, False),
        ("{}", {"/a": b"1"}, False),
        ("{}", {"/a": b"1", "/c": b"2"}, False),
    ],
)
def test_a_plan_is_sealed_with_its_files(plan, files, same):
    sealed = sealed_plan("secret", "n1", "{}", {"/b": b"2", "/a": b"1"})
    assert (sealed_plan("secret", "n1", plan, files) == sealed) is same


def measured(trips, ahead_s, rounds=None):
    """Measure a clock that is `ahead_s` ahead over trips of (seconds there, seconds back)."""
    clock = FakeClock()
    probe = ClockProbe(clock.now, rounds or len(trips))
    over = False
    for there_s, back_s in trips:
        number = probe.ask()
        clock.sleep(there_s)
        theirs = clock.now() + ahead_s
        clock.sleep(back_s)
        over = probe.answer(number, theirs)
    return probe, over


@pytest.mark.parametrize("ahead_s", [0.0, 100.0, -3600.5])
@pytest.mark.parametrize(
    ("trips", "uncertainty_s"),
    [
        ([(0.01, 0.01)], 0.01),
        ([(0.5, 0.1), (0.01, 0.03), (0.4, 0.4)], 0.02),
        ([(0.001, 0.003)] * 16, 0.002),
        ([(0.0, 0.2)], 0.1),
    ],
)
def test_a_clock_is_known_to_half_of_the_fastest_round_trip(trips, uncertainty_s, ahead_s):
    probe, over = measured(trips, ahead_s)
    assert over and probe.uncertainty_s == pytest.approx(uncertainty_s, abs=1e-6)
    assert abs(probe.offset_s - ahead_s) <= probe.uncertainty_s + 1e-6


def test_a_late_or_strange_answer_counts_for_nothing():
    clock = FakeClock()
    probe = ClockProbe(clock.now, 2)
    first = probe.ask()
    second = probe.ask()
    assert not probe.answer(first, 5.0) and not probe.answer("x", 5.0) and not probe.answer(None, 5.0)
    assert probe.uncertainty_s == float("inf")
    assert not probe.answer(second, clock.now())
    assert not probe.answer(second, clock.now()), "twice the same"
    assert probe.answer(probe.ask(), clock.now())


@pytest.mark.parametrize(
    ("heard_at", "over_at"), [((), 7), ((3,), 10), ((3, 6, 9), 16), ((6,), 13)], ids=["never", "once", "often", "last"]
)
def test_silence_is_counted_in_ticks_since_the_last_word(heard_at, over_at):
    silence = SilenceTimer(0.5, 3.0)
    for tick in itertools.count(1):
        if silence.tick():
            break
        if tick in heard_at:
            silence.heard()
    assert (tick, silence.seconds) == (over_at, 3.5)


def test_totals_are_summed_and_the_worst_is_kept():
    one = {"sent": 3, "cpu_s": 0.5, "latency_ms_p99": 9.0, "memory_mib": 70.0, "in_flight_max": 4, "stopped": True}
    other = {"sent": 4, "cpu_s": 0.25, "latency_ms_p99": 4.0, "memory_mib": 80.0, "in_flight_max": 3, "delivered": {}}
    whole = {"sent": 7, "cpu_s": 0.75, "latency_ms_p99": 9.0, "memory_mib": 80.0, "in_flight_max": 4}
    assert summed([one, other, {}]) == whole
    assert summed([]) == {}


def test_the_files_that_a_plan_names_are_found_at_any_depth(tmp_path):
    names = [tmp_path / name for name in ("sample.npz", "times.txt", "mine.py")]
    for name in names:
        name.write_bytes(b"x")
    sample, times, mine = map(str, names)
    phases = [{"recording": {"path": times}}, {"recording": None}]
    plan = {"sample": sample, "users": f"{mine}:Buyer", "phases": phases, "seed": 7, "records": str(tmp_path)}
    plan |= {"path": "/predict", "gone": str(tmp_path / "gone"), "relative": "mine.py"}
    assert sorted(named_files(plan)) == sorted([sample, times, mine])
