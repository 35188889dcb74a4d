"""Facts are appended one by one and read back, a torn tail aside."""

from pathlib import Path

import pytest

from tests.fake_clock import FakeClock
from tocsin.harness.core.journal import Fact, Journal, read_journal


def test_facts_come_back_in_order(tmp_path: Path) -> None:
    clock = FakeClock(start=100)
    journal = Journal(tmp_path / "j", clock)
    journal.note("one", fault="x")
    clock.sleep(5)
    journal.note("two")
    facts = read_journal(tmp_path / "j")
    assert [(fact.fact, fact.at, fact.more) for fact in facts] == [("one", 100, {"fault": "x"}), ("two", 105, {})]


def test_each_fact_is_on_disk_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", FakeClock())
    journal.note("one")
    assert len(read_journal(tmp_path / "j")) == 1


@pytest.mark.parametrize("tail", ['{"fact": "torn', "\n", '{"fact": "torn", "at": 1'])
def test_a_torn_last_line_is_left_out(tmp_path: Path, tail: str) -> None:
    journal = Journal(tmp_path / "j", FakeClock())
    journal.note("one")
    journal.close()
    with (tmp_path / "j").open("a") as file:
        file.write(tail)
    assert [fact.fact for fact in read_journal(tmp_path / "j")] == ["one"]


def test_a_missing_journal_holds_nothing(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == ()


def test_a_watcher_sees_every_fact_even_after_close(tmp_path: Path) -> None:
    seen: list[Fact] = []
    journal = Journal(tmp_path / "j", FakeClock(), seen.append)
    journal.note("one")
    journal.close()
    journal.note("two")
    assert [fact.fact for fact in seen] == ["one", "two"]
    assert len(read_journal(tmp_path / "j")) == 1


def test_values_that_json_does_not_know_are_written_as_text(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", FakeClock())
    journal.note("one", path=tmp_path)
    assert read_journal(tmp_path / "j")[0].more == {"path": str(tmp_path)}
