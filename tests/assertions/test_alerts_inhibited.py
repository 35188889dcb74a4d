import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import firing, notice

ERRORS = 'HighErrorRate{job="a"}'
ARGS = {"alert": "HighErrorRate", "by": "TargetDown", "in": "trouble"}
FIRES = firing(ERRORS, start=70, end=100) | firing("TargetDown", start=65, end=100)


def held(at, *by, until=None, word="inhibitedBy"):
    """Rows of alerts.jsonl: the alert is held back by these fingerprints from `at` on, until then if given."""
    row = {"labels": {"alertname": "HighErrorRate", "job": "a"}, "fingerprint": "errors", word: list(by)}
    rows = [{**row, "at": at}]
    return rows if until is None else [*rows, {**row, "at": until, word: []}]


DOWN = {"at": 65, "labels": {"alertname": "TargetDown"}, "fingerprint": "down"}
OTHER = {"at": 65, "labels": {"alertname": "Other"}, "fingerprint": "other"}


@pytest.mark.parametrize(
    ("rows", "notices", "answer", "words"),
    [
        (held(70.5, "down"), [], "pass", "HighErrorRate was inhibited by TargetDown for 30 s and nobody was told."),
        (held(70.5, "down"), [notice(80, "page", "TargetDown")], "pass", "nobody was told"),
        ([], [], "fail", "fired and was not inhibited: no notification of it was seen at all."),
        (
            [],
            [notice(75, "page", ERRORS)],
            "fail",
            'HighErrorRate{job="a"} fired and was not inhibited: it went to page',
        ),
        (held(70.5, "other"), [], "fail", "was inhibited by Other, not by TargetDown"),
        (held(70.5, "other", "down"), [], "pass", "inhibited by TargetDown"),
        (held(70.5, "down"), [notice(75, "page", ERRORS)], "fail", "and yet page at 75 s of play was told"),
        (
            held(70.5, "down", until=90),
            [notice(95, "page", ERRORS)],
            "pass",
            "for 20 s and nobody was told; 1 notice while",
        ),
        (held(70.5, "down", until=90), [notice(89.5, "page", ERRORS)], "pass", "1 notice"),  # let go, and seen later
        (held(70.5, "down", until=90), [notice(88.5, "page", ERRORS)], "fail", "and yet page at 88.5 s"),
        (held(70.5, "down", until=71), [], "unknown", "too short to show that nobody is told"),
        (held(70.5, "down", word="silencedBy"), [], "fail", "was not inhibited: it was silenced at once"),
    ],
)
def test_inhibited(tmp_path, rows, notices, answer, words):
    more = {"alerts": sorted([DOWN, OTHER, *rows], key=lambda row: row["at"]), "notifications": notices}
    says(ask("alerts/inhibited", tmp_path, ARGS, series=alive(FIRES), **more), answer, words)


def test_what_never_fired_was_not_inhibited(tmp_path):
    says(ask("alerts/inhibited", tmp_path, ARGS, series=alive()), "unknown", "never fired")
    pending = alive(firing(ERRORS, pending=70, start=None, end=90))
    says(ask("alerts/inhibited", tmp_path / "pending", ARGS, series=pending), "unknown", "never fired")


def test_an_inhibition_of_an_earlier_episode_does_not_count(tmp_path):
    series = alive(firing(ERRORS, start=70, end=100))
    rows = [DOWN, *held(10.5, "down", until=40)]
    says(ask("alerts/inhibited", tmp_path, ARGS, series=series, alerts=rows), "fail", "was not inhibited")
