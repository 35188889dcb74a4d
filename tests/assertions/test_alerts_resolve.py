import pytest

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import fault, firing, notice, together
from tests.evidence.rendered import alert, write
from tocsin.harness.evidence.evidence import EvidenceError

ERRORS = 'HighErrorRate{job="a"}'
OTHER = 'HighErrorRate{job="b"}'
IN = {"alert": "HighErrorRate", "in": "trouble", "within": 20}
DURING = {"alert": "HighErrorRate", "during": "outage", "within": 20}
OUTAGE = fault("outage", "raises", "baseline", injected=10, effective=11, healed=40, gone=41)


def test_an_alert_whose_rule_fails_has_not_resolved(tmp_path):
    selector = 'prometheus_rule_evaluation_failures_total{rule_group="rules/service.yml;service"}'
    series = firing(ERRORS, start=30.4, end=70.4) | {selector: [(0, 0), (50, 0), (72, 3)]}
    words = "rules of the group service (3 times), and an alert whose rule fails ends too"
    says(ask("alerts/resolve", tmp_path, IN, series=alive(series)), "unknown", words)


@pytest.mark.parametrize(
    ("args", "series", "answer", "words"),
    [
        (
            IN,
            firing(ERRORS, start=30.4, end=70.4),
            "pass",
            "ended 10.4 s after trouble began (bound 20 s); no resolved",
        ),
        (IN, firing(ERRORS, start=30, end=80), "pass", "ended 20 s after"),
        (IN, firing(ERRORS, start=30.4, end=80.4), "fail", ["ended only 20.4 s after trouble began", "bound 20 s"]),
        (IN, firing(ERRORS, start=30.4, end=121), "fail", "still firing when last evaluated, 60.4 s after"),
        (IN, {}, "unknown", "never fired"),
        (IN, firing(ERRORS, pending=30.4, start=None, end=50.4), "unknown", "never fired"),
        (IN, firing(ERRORS, start=90.4, end=95.4), "unknown", "never fired before the bound 20 s was over"),
        (IN, firing(ERRORS, start=30.4, end=50.4), "pass", "ended 9.6 s before trouble began"),
        ({**IN, "labels": {"job": "b"}}, firing(ERRORS, start=30.4, end=70.4), "unknown", "never fired"),
        (
            IN,
            together(firing(ERRORS, start=30.4, end=40.4), firing(ERRORS, start=65.4, end=75.4)),
            "pass",
            "the last of 2 episodes",
        ),
        (
            IN,
            together(firing(ERRORS, start=30.4, end=40.4), firing(ERRORS, start=65.4, end=99.4)),
            "fail",
            "ended only 39.4",
        ),
        (IN, firing(ERRORS, start=30.4, end=65.4) | firing(OTHER, start=30.4, end=85.4), "fail", "ended only 25.4 s"),
        (DURING, firing(ERRORS, start=30.4, end=60.4), "pass", "ended 19.4 s after outage was gone"),
        (DURING, firing(ERRORS, start=30.4, end=61.4), "fail", "ended only 20.4 s after outage was gone"),
        (DURING, firing(ERRORS, start=2.4, end=8.4), "unknown", "never fired"),
    ],
)
def test_resolve(tmp_path, args, series, answer, words):
    says(ask("alerts/resolve", tmp_path, args, series=alive(series), faults=[OUTAGE]), answer, words)


def test_dead_stream_is_no_failure(tmp_path):
    series = alive(firing(ERRORS, start=30.4, end=66.4), until=66.4)
    says(ask("alerts/resolve", tmp_path, IN, series=series), "unknown", ["still firing", "record ended"])
    says(ask("alerts/resolve", tmp_path / "none", IN), "unknown", "never fired")


def test_speed_and_restart_stretch_the_bound(tmp_path):
    kill = {"params": {"role": "model"}, "injected": 10, "effective": 11, "healed": 40, "gone": 41}
    series = alive(firing(ERRORS, start=30, end=52))
    args = {**DURING, "within": "5m"}
    found = ask(
        "alerts/resolve",
        tmp_path,
        args,
        series=series,
        faults=[fault("outage", "kill", "baseline", **kill)],
        speed=30.0,
    )
    says(found, "pass", ["ended 330 s after outage was gone", "bound 300 s + 30 s for the restart of model"])


@pytest.mark.parametrize(
    ("notices", "words"),
    [
        ([notice(73.4, "page", ERRORS, status="resolved")], "resolved notice 3 s later (due within 5 s)"),
        ([notice(73.4, "page", ERRORS, status="resolved", answered=500)], "no resolved notice was delivered"),
        ([notice(60, "page", ERRORS, status="resolved")], "no resolved notice was delivered"),
        ([], "no resolved notice was delivered (due within 5 s)"),
    ],
)
def test_the_resolved_notice_is_told_not_judged(tmp_path, notices, words):
    series = alive(firing(ERRORS, start=30.4, end=70.4))
    says(ask("alerts/resolve", tmp_path, IN, series=series, notifications=notices), "pass", words)


def test_a_fault_that_is_not_seen_to_go_has_no_bound(tmp_path):
    faults = [fault("outage", "raises", "baseline", injected=10, effective=11, healed=40)]
    with pytest.raises(EvidenceError, match="outage was never seen to be gone"):
        ask("alerts/resolve", tmp_path, DURING, series=alive(), faults=faults)


TOLD = notice(32, "page", ERRORS)


@pytest.mark.parametrize(
    ("notices", "answer", "words"),
    [
        (
            [TOLD, notice(73.4, "page", ERRORS, status="resolved")],
            "pass",
            "resolved notice to page 3 s later (due within 5 s)",
        ),
        ([TOLD, notice(76.3, "page", ERRORS, status="resolved")], "pass", "5.9 s later"),  # and a second on its way
        ([TOLD, notice(76.6, "page", ERRORS, status="resolved")], "fail", "resolved notice to page only 6.2 s later"),
        ([TOLD, notice(73, "chat", ERRORS, status="resolved")], "fail", "no resolved notice was delivered to page"),
        ([TOLD, notice(73, "page", ERRORS, status="resolved", answered=500)], "fail", "no resolved notice"),
        ([TOLD, notice(60, "page", ERRORS, status="resolved")], "fail", "no resolved notice"),  # of an earlier end
        ([TOLD], "fail", "no resolved notice was delivered to page (due within 5 s)"),
        ([], "unknown", "page was never told that it fired"),
        ([notice(73, "page", ERRORS, "Slow", resolved=[ERRORS]), TOLD], "pass", "2.6 s later"),  # others still fire
    ],
)
def test_the_resolved_notice_is_judged_if_a_receiver_is_named(tmp_path, notices, answer, words):
    series = alive(firing(ERRORS, start=30.4, end=70.4))
    args = {**IN, "delivered_to": "page"}
    found = ask("alerts/resolve", tmp_path, args, series=series, notifications=notices, facts=[("settled", 125, {})])
    says(found, answer, words)


def test_a_record_that_ends_before_the_notice_is_due_is_unknown(tmp_path):
    series, args = alive(firing(ERRORS, start=30.4, end=70.4)), {**IN, "delivered_to": "page"}
    for name, facts in (("early", [("settled", 75, {})]), ("none", [])):
        found = ask("alerts/resolve", tmp_path / name, args, series=series, notifications=[TOLD], facts=facts)
        says(found, "unknown", "the record ended before its resolved notice to page was due (within 5 s)")


def test_a_late_end_is_a_failure_whoever_was_told(tmp_path):
    series, args = alive(firing(ERRORS, start=30.4, end=90.4)), {**IN, "delivered_to": "page"}
    told = [TOLD, notice(91, "page", ERRORS, status="resolved")]
    says(ask("alerts/resolve", tmp_path, args, series=series, notifications=told), "fail", "ended only 30.4 s")


def test_the_tick_is_that_of_the_receivers_own_routes(tmp_path):
    route = {"receiver": "ticket", "group_interval": "5m", "routes": [{"receiver": "page", "group_interval": "2s"}]}
    series, args = alive(firing(ERRORS, start=30.4, end=70.4)), {**IN, "delivered_to": "page"}
    for at, answer in ((73.3, "pass"), (73.6, "fail")):
        write(tmp_path / f"{at}" / "run", alert(), route=route)
        told = [TOLD, notice(at, "page", ERRORS, status="resolved")]
        found = ask("alerts/resolve", tmp_path / f"{at}", args, series=series, notifications=told)
        says(found, answer, "(due within 2 s)")


@pytest.mark.parametrize(
    ("until", "notices", "answer", "words"),
    [
        (None, [notice(90, "page", ERRORS, status="resolved")], "pass", "19.6 s later (held back when it ended)"),
        (None, [], "unknown", "Alertmanager held it back when it ended"),
        (60, [notice(90, "page", ERRORS, status="resolved")], "fail", "only 19.6 s later (due within 5 s)"),
    ],
)
def test_the_notice_of_what_is_held_back_waits(tmp_path, until, notices, answer, words):
    row = {"labels": {"alertname": "HighErrorRate", "job": "a"}, "fingerprint": "x", "inhibitedBy": ["down"]}
    rows = [{**row, "at": 29, "inhibitedBy": []}, {**row, "at": 50}]
    rows += [] if until is None else [{**row, "at": until, "inhibitedBy": []}]
    series, args = alive(firing(ERRORS, start=30.4, end=70.4)), {**IN, "delivered_to": "page"}
    told, facts = [TOLD, *notices], [("settled", 125, {})]
    found = ask("alerts/resolve", tmp_path, args, series=series, notifications=told, alerts=rows, facts=facts)
    says(found, answer, words)
