from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tocsin.harness.core.clock import RunClock
from tocsin.harness.core.errors import StackError
from tocsin.harness.core.journal import Journal, read_journal
from tocsin.harness.engines.common.running_stack import BackgroundThreads


def repeats(folder: Path) -> BackgroundThreads:
    return BackgroundThreads(journal=Journal(folder / "journal.jsonl", RunClock()))


def test_it_is_done_again_until_it_ceases(tmp_path: Path) -> None:
    calls: list[int] = []
    thrice = threading.Event()

    def do() -> float:
        calls.append(1)
        if len(calls) >= 3:
            thrice.set()
        return 0.001

    many = repeats(tmp_path)
    many.start("loop", do)
    many.start("loop", lambda: 1 / 0)  # the name is taken
    assert thrice.wait(5)
    many.cease("loop")
    many.cease("loop")
    done = len(calls)
    assert not [thread for thread in threading.enumerate() if thread.name == "loop"]
    assert len(calls) == done


def test_to_cease_waits_for_the_present_call(tmp_path: Path) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def do() -> float:
        begun.set()
        may_end.wait(5)
        ended.append(1)
        return 60.0

    many = repeats(tmp_path)
    many.start("slow", do)
    assert begun.wait(5)
    threading.Timer(0.05, may_end.set).start()
    many.cease("slow")
    assert ended == [1]


def test_a_mistake_is_noted_and_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.harness.engines.common.running_stack._AFTER_AN_ERROR_S", 0.001)
    calls: list[int] = []
    again = threading.Event()

    def do() -> float:
        calls.append(1)
        if len(calls) == 1:
            raise StackError("it did not come up")
        again.set()
        return 60.0

    many = repeats(tmp_path)
    many.start("loop", do)
    assert again.wait(5)
    many.end_all()
    (fact,) = read_journal(tmp_path / "journal.jsonl")
    assert (fact.fact, fact.more["message"]) == ("error", "loop: it did not come up")
