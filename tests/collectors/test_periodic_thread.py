import threading

import pytest

from tests.collectors.servers import Rig, eventually
from tocsin.harness.collectors.collector import PeriodicThread, in_words, sentence


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path, {})


def test_it_ticks_at_once_and_again_until_stopped(rig):
    ticks = []
    ticker = PeriodicThread("metrics", 0.01, lambda: ticks.append(threading.current_thread().name), rig.journal)
    ticker.start()
    eventually(lambda: len(ticks) >= 3)
    ticker.stop()
    ticker.stop()
    seen = len(ticks)
    assert ticker.once()
    assert len(ticks) == seen + 1
    assert set(ticks[:seen]) == {"collect-metrics"}


def test_a_slow_tick_is_not_made_up_for(rig):
    started, go = [], threading.Event()
    ticker = PeriodicThread("metrics", 0.5, lambda: (started.append(1), go.wait(5)), rig.journal)
    ticker.start()
    eventually(lambda: started)
    go.set()
    ticker.stop()
    assert len(started) == 1


def test_failures_in_a_row_are_noted_once_and_so_is_the_recovery(rig):
    wrong = [True]

    def tick():
        if wrong:
            raise OSError("refused")

    ticker = PeriodicThread("alerts", 60, tick, rig.journal)
    assert [ticker.once() for _ in range(3)] == [False] * 3
    wrong.clear()
    assert ticker.once()
    assert ticker.once()
    wrong.append(True)
    assert not ticker.once()
    assert rig.facts("stream_lost") == [{"stream": "alerts", "detail": "OSError: refused"}] * 2
    assert [fact["stream"] for fact in rig.facts("stream_back")] == ["alerts"]


def test_stopping_what_never_began_is_harmless(rig):
    PeriodicThread("alerts", 60, lambda: None, rig.journal).stop()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError(), "KeyError: no message"),
        (OSError("x" * 999), ("OSError: " + "x" * 999)[:300]),
    ],
)
def test_an_error_in_words(error, expected):
    def ask():
        raise error

    assert sentence(error) == expected
    assert in_words(ask)() == (False, expected)


def test_an_answer_goes_through():
    assert in_words(lambda seen: (True, seen))("all well") == (True, "all well")


def test_behind_a_failed_connection_stands_what_the_system_said():
    def wrapped():
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as refused:
            raise RuntimeError("Max retries exceeded with url: " + "x" * 400) from refused

    assert in_words(wrapped)() == (False, "RuntimeError: [Errno 111] Connection refused")
