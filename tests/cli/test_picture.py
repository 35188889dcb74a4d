"""A drill ends with a sheet of its dashboards; one that cannot be drawn is told and changes nothing."""

from types import SimpleNamespace

import pytest

from tests.evidence.build import build
from tocsin.harness.cli import play_drill
from tocsin.harness.report import contact_sheet


@pytest.fixture
def played(tmp_path):
    return SimpleNamespace(folder=build(tmp_path / "run").folder)


def test_the_sheet_is_drawn_from_the_run_directory(played, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(contact_sheet, "draw", drawn.append)
    play_drill.picture(played)
    assert [one.folder for one in drawn] == [played.folder]
    assert capsys.readouterr().err == ""


def test_a_sheet_that_cannot_be_drawn_is_told_in_a_sentence(played, capsys, monkeypatch):
    def broken(evidence):
        raise ValueError("no pencil")

    monkeypatch.setattr(contact_sheet, "draw", broken)
    play_drill.picture(played)
    assert "The panels could not be drawn: ValueError: no pencil." in capsys.readouterr().err
