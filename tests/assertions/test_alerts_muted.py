import pytest

from tests.assertions.asking import alive, ask, says
from tests.assertions.test_alerts_inhibited import held
from tests.evidence.build import firing, notice
from tests.evidence.rendered import alert, write

ERRORS = 'HighErrorRate{job="a"}'
SILENCE = {"alert": "HighErrorRate", "in": "trouble"}
TIME = {**SILENCE, "by": "mute_time"}
FIRES = firing(ERRORS, start=70, end=100)
MUTED = {"receiver": "page", "routes": [{"receiver": "page", "mute_time_intervals": ["night"]}]}


@pytest.mark.parametrize(
    ("rows", "notices", "answer", "words"),
    [
        (held(70.5, "s1", word="silencedBy"), [], "pass", "HighErrorRate was silenced for 30 s and nobody was told."),
        (
            held(70.5, "s1", word="silencedBy"),
            [notice(80, "page", ERRORS)],
            "fail",
            "and yet page at 80 s of play was told",
        ),
        ([], [notice(80, "page", ERRORS)], "fail", "fired and was not silenced: it went to page"),
        (held(70.5, "s1", until=71, word="silencedBy"), [], "unknown", "too short to show that nobody is told"),
        ([], [], "fail", "fired and was not silenced: no notification"),
        (held(70.5, "other"), [], "fail", "was not silenced: it was inhibited at once"),
    ],
)
def test_a_silence(tmp_path, rows, notices, answer, words):
    found = ask("alerts/muted", tmp_path, SILENCE, series=alive(FIRES), alerts=rows, notifications=notices)
    says(found, answer, words)


@pytest.mark.parametrize(
    ("series", "route", "rows", "notices", "answer", "words"),
    [
        (FIRES, MUTED, [], [], "pass", "fired for 30 s in its mute time and nobody was told"),
        (FIRES, MUTED, [], [notice(80, "page", ERRORS)], "fail", "was not muted: page at 80 s of play was told"),
        (FIRES, {"receiver": "page"}, [], [], "fail", "no route of Alertmanager names a mute time"),
        (firing(ERRORS, start=70, end=74), MUTED, [], [], "unknown", "for 4 s only, and a notice may take 5 s"),
        (FIRES, MUTED, held(70.5, "s", word="silencedBy"), [], "unknown", "also inhibited or silenced"),
        ({}, MUTED, [], [], "unknown", "never fired"),
    ],
)
def test_a_mute_time(tmp_path, series, route, rows, notices, answer, words):
    write(tmp_path / "run", alert(), route=route)
    found = ask("alerts/muted", tmp_path, TIME, series=alive(series), alerts=rows, notifications=notices)
    says(found, answer, words)


def test_how_long_it_fired_in_its_mute_time_is_production_time(tmp_path):
    write(tmp_path / "run", alert(), route=MUTED)
    series = alive(firing(ERRORS, start=70.43217, end=100.43217))
    found = ask("alerts/muted", tmp_path, TIME, series=series, speed=10)
    assert (found.reason, found.figures) == (
        "HighErrorRate fired for 300 s in its mute time and nobody was told.",
        {"fired_s": 300.0},
    )
