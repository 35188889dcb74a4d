"""The means of the long proofs, without a drill: results are kept, and every mutant still applies to the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import series
from tests.e2e.drills import ROOT
from tests.e2e.mutants import MUTANTS, SAMPLE, Broken
from tests.e2e.test_mutants import sentence


def test_what_was_played_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "fingerprint", lambda: "one")
    played: list[str] = []

    def play(job: str) -> dict[str, object]:
        played.append(job)
        if job == "breaks" and played.count("breaks") == 1:
            raise RuntimeError("cut off")
        return {"ok": job != "red"}

    with pytest.raises(RuntimeError, match="cut off"):
        series.play_series("s", ["green", "red", "breaks"], play, kept=tmp_path, at_once=1)
    results = series.play_series("s", ["green", "red", "breaks"], play, kept=tmp_path, at_once=1)
    assert {job: result["ok"] for job, result in results.items()} == {"green": True, "red": False, "breaks": True}
    assert sorted(played) == ["breaks", "breaks", "green", "red"], "a red one stays red"
    monkeypatch.setattr(series, "fingerprint", lambda: "another")
    series.play_series("s", ["green"], play, kept=tmp_path)
    assert played.count("green") == 2


def test_the_fingerprint_is_that_of_what_decides(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "a.py").write_text("1")
    (tmp_path / "README.md").write_text("1")
    before = series.fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("2")
    assert series.fingerprint(tmp_path) == before
    (tmp_path / "harness" / "a.py").write_text("2")
    assert series.fingerprint(tmp_path) != before


@pytest.mark.parametrize("broken", MUTANTS, ids=[broken.name for broken in MUTANTS])
def test_every_mutant_changes_the_stack_in_one_place(broken: Broken) -> None:
    for change in broken.changes:
        text = (ROOT / "stacks" / "reference" / change.file).read_text(encoding="utf-8")
        assert text.count(change.old) == 1 and change.old != change.new


def test_the_list_is_whole() -> None:
    assert len({broken.name for broken in MUTANTS}) == len(MUTANTS) == 14
    assert len(SAMPLE) == 3


def test_only_the_right_answer_with_the_right_words_counts() -> None:
    broken = MUTANTS[0]
    assert sentence(broken, [("fail", f"x {broken.words} y")])
    assert not sentence(broken, [("unknown", broken.words), ("fail", "something else")])
