import pytest

from tests.assertions.asking import CHECKS, KINDS, alive, ask, says
from tests.evidence.build import START, build, fault, firing, notice
from tocsin.harness.evidence.evidence import EvidenceError

ERRORS = 'HighErrorRate{job="a"}'
OUTAGE = fault("outage", "raises", "trouble", injected=62, effective=63, healed=100, gone=101)
KILL = {"params": {"role": "model"}, "injected": 62, "effective": 63, "healed": 80, "gone": 81}
IN = {"alert": "HighErrorRate", "in": "trouble", "within": 20}
DURING = {"alert": "HighErrorRate", "during": "outage", "within": 20}


@pytest.mark.parametrize(
    ("args", "series", "answer", "words"),
    [
        (
            IN,
            firing(ERRORS, pending=65.4, start=70.4, end=90.4),
            "pass",
            ["firing 10.4 s after trouble began", "bound 20 s"],
        ),
        (IN, firing(ERRORS, start=80, end=90), "pass", "firing 20 s"),
        (IN, firing(ERRORS, start=80.4, end=90.4), "fail", ["firing only 20.4 s after trouble began", "bound 20 s"]),
        (
            IN,
            firing(ERRORS, pending=70.4, start=None, end=115.4),
            "fail",
            ["not firing 20 s", "pending from 10.4 s on"],
        ),
        (IN, {}, "fail", ["not firing", "never seen, not even pending"]),
        (IN, firing(ERRORS, start=50.4, end=55.4), "fail", "not firing"),
        (
            IN,
            firing(ERRORS, start=50.4, end=70.4),
            "unknown",
            [ERRORS, "(firing) was already active when trouble began"],
        ),
        (IN, firing(ERRORS, pending=55.4, start=65.4, end=70.4), "unknown", ["(pending)", "already active"]),
        ({**IN, "labels": {"job": "a"}}, firing(ERRORS, start=70.4, end=90.4), "pass", 'HighErrorRate{job="a"} firing'),
        ({**IN, "labels": {"job": "b"}}, firing(ERRORS, start=70.4, end=90.4), "fail", [ERRORS, "with other labels"]),
        (
            IN,
            firing(ERRORS, start=70.4, end=72.4) | firing('HighErrorRate{job="b"}', start=68.4, end=90.4),
            "pass",
            "8.4 s",
        ),
        (DURING, firing(ERRORS, start=82.4, end=90.4), "pass", "firing 19.4 s after outage took effect"),
        (DURING, firing(ERRORS, start=83.4, end=90.4), "fail", "firing only 20.4 s after outage took effect"),
        (DURING, firing(ERRORS, start=62.4, end=90.4), "pass", "firing 0.6 s before outage took effect"),
        (DURING, firing(ERRORS, start=61.4, end=90.4), "unknown", "already active when outage began"),
        ({"alert": "HighErrorRate", "within": 20}, firing(ERRORS, start=15.4, end=20.4), "pass", "after play began"),
    ],
)
def test_firing(tmp_path, args, series, answer, words):
    says(ask("alerts/fire", tmp_path, args, series=alive(series), faults=[OUTAGE]), answer, words)


def test_speed_multiplies_what_the_clock_shows(tmp_path):
    found = ask(
        "alerts/fire", tmp_path, {**IN, "within": "5m"}, series=alive(firing(ERRORS, start=70.0, end=80)), speed=30.0
    )
    says(found, "pass", ["firing 300 s after trouble began", "bound 300 s"])
    assert found.figures["firing_s"] == 300.0


def test_dead_stream_is_no_failure(tmp_path):
    says(ask("alerts/fire", tmp_path, IN, series=alive(until=75.4)), "unknown", "record ended")
    says(ask("alerts/fire", tmp_path / "none", IN, series={}), "unknown", "record ended")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            [("HighErrorRate", False)],
            ["no loaded rule file defines HighErrorRate", "rules/a.yml does, and is not loaded"],
        ),
        ([("Other", True)], ["no loaded rule file defines HighErrorRate."]),
        ([("HighErrorRate", True)], ["never seen"]),
    ],
)
def test_a_rule_that_nobody_loads_is_a_failure(tmp_path, rules, words):
    run = {
        "kinds": KINDS,
        "alerts": [{"name": name, "file": "rules/a.yml", "loaded": loaded} for name, loaded in rules],
    }
    says(ask("alerts/fire", tmp_path, IN, series=alive(), run=run), "fail", words)


@pytest.mark.parametrize(
    ("notices", "answer", "words"),
    [
        ([notice(78, "page", ERRORS)], "pass", ["firing 10.4 s", "delivered to page at 18 s"]),
        ([notice(80, "page", ERRORS)], "pass", "delivered to page at 20 s"),
        ([notice(80.5, "page", ERRORS)], "fail", ["delivered to page only at 20.5 s"]),
        ([notice(72, "page", ERRORS, answered=500), notice(79, "page", ERRORS)], "pass", "at 19 s"),
        ([notice(72, "page", ERRORS, answered=500)], "fail", ["1 attempts at page were answered 500"]),
        ([notice(72, "chat", ERRORS)], "fail", ["never delivered to page", "it went to chat"]),
        ([], "fail", "no notification of it was seen"),
        ([notice(72, "page", 'HighErrorRate{job="b"}')], "fail", "never delivered to page"),
        ([notice(72, "page", ERRORS, status="resolved")], "fail", "never delivered to page"),
        ([notice(62, "page", ERRORS)], "fail", "never delivered to page"),
        ([notice(72, "page", "Other", ERRORS)], "pass", "at 12 s"),
    ],
)
def test_delivery(tmp_path, notices, answer, words):
    args = {**IN, "labels": {"job": "a"}, "delivered_to": "page"}
    series = alive(firing(ERRORS, start=70.4, end=90.4))
    says(ask("alerts/fire", tmp_path, args, series=series, notifications=notices), answer, words)


@pytest.mark.parametrize(
    ("rows", "notices", "words"),
    [
        ([], [notice(72, "chat", ERRORS)], "never delivered to page (bound 20 s): it went to chat."),
        ([], [notice(30, "chat", ERRORS)], "(bound 20 s): no notification of it was seen at all."),  # an earlier time
        ([], [notice(72, "chat", ERRORS, answered=500)], "(bound 20 s): it was refused by chat (500)."),
        ([71], [], "never delivered to page (bound 20 s): it was inhibited at once."),
        ([75, 71], [notice(78, "chat", ERRORS)], "it was inhibited at once and it went to chat."),
    ],
)
def test_an_alert_that_reached_nobody_tells_where_it_went(tmp_path, rows, notices, words):
    labels = {"alertname": "HighErrorRate", "job": "a"}
    held = [{"at": at, "labels": labels, "fingerprint": "x", "inhibitedBy": ["other"]} for at in sorted(rows)]
    series = alive(firing(ERRORS, start=70.4, end=90.4))
    args = {**IN, "delivered_to": "page"}
    says(ask("alerts/fire", tmp_path, args, series=series, notifications=notices, alerts=held), "fail", words)


def test_delivery_is_open_when_the_record_ends_first(tmp_path):
    args = {**IN, "delivered_to": "page"}
    series = alive(firing(ERRORS, start=70.4, end=76.4), until=75.4)
    says(ask("alerts/fire", tmp_path, args, series=series), "unknown", ["firing 10.4 s", "record ended"])


@pytest.mark.parametrize(
    ("kind", "within", "firing_at", "answer", "words"),
    [
        ("kill", 20, 84.4, "pass", "bound 20 s + 1 s for the restart of model"),  # restarted at 80, within the bound
        ("kill", 20, 85.4, "fail", "bound 20 s + 1 s"),
        ("kill", 10, 74.4, "fail", "bound 10 s)"),  # still down when the bound was over: nothing to add
        ("restart", 10, 74.4, "pass", "bound 10 s + 1 s"),
        ("restart", 10, 75.4, "fail", "bound 10 s + 1 s"),
        ("raises", 20, 84.4, "fail", "bound 20 s)"),
    ],
)
def test_restarts_of_the_drill_are_added_and_shown(tmp_path, kind, within, firing_at, answer, words):
    args = {"alert": "HighErrorRate", "during": "outage", "within": within}
    series = alive(firing(ERRORS, start=firing_at - 0.4, end=95))
    found = ask("alerts/fire", tmp_path, args, series=series, faults=[fault("outage", kind, "trouble", **KILL)])
    says(found, answer, words)


def test_a_restart_takes_speed_times_its_wall_seconds(tmp_path):
    args = {"alert": "HighErrorRate", "during": "outage", "within": "10m"}
    faults = [fault("outage", "kill", "trouble", **KILL)]
    found = ask(
        "alerts/fire", tmp_path, args, series=alive(firing(ERRORS, start=84, end=95)), faults=faults, speed=30.0
    )
    says(found, "pass", ["firing 630 s", "bound 600 s + 30 s for the restart of model"])


def test_clocks_that_disagree_widen_the_bound(tmp_path):
    clocks = [("clock", 1, {"process": "pager", "wall": 100.0}), ("clock", 2, {"process": "traffic", "wall": 102.5})]
    series = alive(firing(ERRORS, start=80.4, end=90.4))
    words = ["firing 20.4 s", "bound 20 s + 1.5 s by which clocks disagree"]
    says(ask("alerts/fire", tmp_path, IN, series=series, facts=clocks), "pass", words)


def test_an_unseen_fault_has_no_bound(tmp_path):
    faults = [fault("outage", "raises", "trouble", injected=62)]
    with pytest.raises(EvidenceError, match="outage was never seen to take effect"):
        ask("alerts/fire", tmp_path, DURING, series=alive(), faults=faults)


@pytest.mark.parametrize(
    ("args", "end"),
    [(DURING, 83.0), ({**DURING, "within": 40}, 85.0), ({**DURING, "within": 40, "delivered_to": "page"}, 88.0)],
)
def test_the_window_ends_with_the_answer(tmp_path, args, end):
    check = CHECKS["alerts/fire"]
    evidence = build(
        tmp_path / "run", phases={"baseline": 60, "trouble": 60}, faults=[OUTAGE],
        series=alive(firing(ERRORS, start=85, end=90)), notifications=[notice(88, "page", ERRORS)],
    )  # fmt: skip
    window = check.window(evidence, check.args.model_validate(args))
    assert (window.start - START, window.end - START) == (62.0, end)


def test_only_a_receiver_needs_notifications():
    more = CHECKS["alerts/fire"].more_streams
    assert more(CHECKS["alerts/fire"].args.model_validate(IN)) == ()
    assert more(CHECKS["alerts/fire"].args.model_validate({**IN, "delivered_to": "page"})) == ("notifications",)
