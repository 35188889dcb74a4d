"""Durations and waiting."""

import pytest

from tests.fake_clock import FakeClock
from tocsin.harness.core.clock import RunClock, format_duration, parse_duration
from tocsin.harness.core.errors import WaitTimeout


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1m30s500ms", 90.5),
        (" 5m ", 300),
        ("0s", 0),
    ],
)
def test_durations_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-5m", "5x", "1h 30m", "five minutes"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (90, "1m30s"), (5400, "1h30m"), (0.0004, "0s"), (2, "2s"), (86400, "24h")],
)
def test_seconds_read_as_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [0.001, 0.25, 1, 59.999, 3600, 3661.5, 100000])
def test_a_duration_survives_the_round_trip(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


def test_waiting_ends_with_the_event() -> None:
    clock = FakeClock()
    looks = iter([(False, "one"), (False, "two"), (True, "three")])
    assert clock.wait_until(lambda: next(looks), awaited="three", within_s=10, every_s=1) == 2


def test_a_timeout_says_what_how_long_and_the_last_state() -> None:
    clock = FakeClock()
    with pytest.raises(WaitTimeout, match=r"Waited 3\.0 s for the bell; last seen: silence\."):
        clock.wait_until(lambda: (False, "silence"), awaited="the bell", within_s=3, every_s=0.5)
    assert clock.now() == 1_000_003


def test_the_state_is_asked_at_least_once() -> None:
    assert FakeClock().wait_until(lambda: (True, ""), awaited="anything", within_s=0) == 0


def test_the_run_clock_ignores_a_step_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = RunClock(speed=30)
    before = clock.now()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert before <= clock.now() < before + 5


def test_the_run_clock_starts_at_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 123.0)
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    assert RunClock().now() == 123.0
