import pytest

from tests.assertions.asking import says
from tests.evidence.build import build, firing
from tests.evidence.written_runs import SIGNALS
from tocsin.assertions.rules_covered import CHECK
from tocsin.harness.declarations.scenario import Expectation, Phase, Scenario
from tocsin.harness.judging.check import Drills


def rule(name, loaded=True):
    return {"name": name, "file": "a.yml", "expr": "up == 0", "for_s": 0, "labels": {}, "loaded": loaded}


ALERTS = [rule("Watchdog"), rule("Down"), rule("Slow"), rule("Idle", loaded=False)]


def drill(folder, *fired, **run):
    series = firing("Watchdog", start=0.4, end=61)
    for name in fired:
        series |= firing(name, start=10, end=20)
    return build(folder, series=series, run={"alerts": ALERTS, "exit_code": 0, **run})


def judged(*played, may=(), unplayed=()):
    return CHECK.judge(Drills(played=played, unplayed=unplayed), CHECK.args(may=may))


@pytest.mark.parametrize(
    ("fired", "may", "answer", "words"),
    [
        ([["Down", "Slow"]], [], "pass", "2 of 2 alerts fired in the one drill."),
        ([["Down"], ["Slow"]], [], "pass", "2 of 2 alerts fired in at least one of 2 drills."),
        ([["Down"], []], [], "fail", "1 of 2 alerts fired in at least one of 2 drills; no drill makes Slow fire."),
        ([["Down"]], ["Slow"], "pass", "allowed to be silent: Slow"),
        ([[]], [], "fail", "no drill makes Down, Slow fire"),
    ],
)
def test_covered(tmp_path, fired, may, answer, words):
    played = [drill(tmp_path / str(number), *names) for number, names in enumerate(fired)]
    says(judged(*played, may=may), answer, words)


def test_pending_is_not_fired(tmp_path):
    waiting = firing("Down", pending=10, start=None, end=20) | firing("Slow", start=5, end=9)
    says(judged(build(tmp_path, series=waiting, run={"alerts": ALERTS})), "fail", "no drill makes Down fire")


def test_a_drill_cut_short_proves_no_gap(tmp_path):
    cut = drill(tmp_path / "cut", outcome="interrupted by SIGINT")
    says(judged(cut, drill(tmp_path / "whole", "Down")), "unknown", ["not Slow", "was not played to its end"])


def test_what_a_drill_that_was_not_played_expects_is_no_gap(tmp_path):
    line = Expectation(check="alerts/fire", args={"alert": "Slow"})
    phase = Phase.model_validate({"phase": "a", "for": "1m"})
    waiting = Scenario(version=1, name="s", summary="x", timeline=(phase,), expect=(line,))
    found = judged(drill(tmp_path, "Down"), unplayed=[waiting])
    says(found, "pass", "only drills that were not played may fire Slow")


def test_nothing_loaded_is_unknown(tmp_path):
    says(judged(build(tmp_path)), "unknown", "No drill says which alerts were loaded")
    without = drill(tmp_path / "watchdog", "Down", "Slow", "Watchdog", signals={**SIGNALS, "watchdog": None})
    says(judged(without), "pass", "3 of 3 alerts")
