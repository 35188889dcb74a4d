import pytest

from tests.assertions.asking import KINDS, ask, says
from tests.evidence.build import asked, fault

GOOD = [asked(at) for at in range(1, 101)]
OUTAGE = fault("outage", "raises", "trouble", injected=70, effective=71, healed=90, gone=91)


@pytest.mark.parametrize(
    ("more", "answer", "words"),
    [
        ([], "pass", ["100 requests answered as declared", "at most 3.62% are not, at 95 %"]),
        ([asked(5.5, kind="broken_json", status=422)], "pass", "101 requests"),
        (
            [asked(5.5, kind="broken_json", status=200, id="r-1-x")],
            "fail",
            ["1 of 101", "broken_json: 1 x 200 (first r-1-x)"],
        ),
        ([asked(5.5, kind="nan", status=200), asked(5.6, kind="nan", status=422)], "pass", "102 requests"),
        (
            [asked(5.5, status=500), asked(5.6, status=500), asked(5.7, status=404)],
            "fail",
            "normal: 2 x 500 (first r-1-100); normal: 1 x 404",
        ),
        ([asked(5.5, outcome="unknown")], "fail", "normal: 1 x unknown outcome"),
        ([asked(5.5, outcome="failed")], "fail", "normal: 1 x failed outcome"),
        ([asked(5.5, outcome="dropped")], "pass", "100 requests"),
        ([asked(5.5, kind="canary", status=503)], "fail", "canary: 1 x 503"),
        ([asked(5.5, kind="wrong_shape", status=422)], "unknown", "does not declare what wrong_shape"),
        ([asked(5.5, kind="user", status=418)], "pass", "101 requests"),
        ([asked(5.5, kind="user", outcome="unknown", status=0)], "fail", "user: 1 x unknown outcome"),
        ([asked(5.5, kind="abort", outcome="unknown", status=0)], "pass", "101 requests"),
        ([asked(5.5, kind="abort", status=200)], "fail", "abort: 1 x 200"),
        ([asked(5.5, kind="abort", outcome="failed", status=0)], "fail", "abort: 1 x failed outcome"),
        ([asked(5.5, kind="extra_field", status=200), asked(5.6, kind="extra_field", status=422)], "pass", "102 req"),
        ([asked(5.5, kind="extra_field", outcome="unknown", status=0)], "fail", "extra_field: 1 x unknown outcome"),
    ],
)
def test_answers(tmp_path, more, answer, words):
    says(ask("service/answers", tmp_path, {}, requests=GOOD + more), answer, words)


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (asked(75.5, status=500), "pass"),
        (asked(75.5, outcome="unknown"), "pass"),
        (asked(75.5, outcome="failed"), "pass"),
        (asked(75.5, status=404), "fail"),  # a fault excuses no refusal
        (asked(75.5, kind="broken_json", status=200), "fail"),
        (asked(69.9, status=500), "fail"),
        (asked(69.5, status=500, took_s=1.0), "pass"),  # under way when it struck
        (asked(65.5, outcome="unknown"), "pass"),
        (asked(55.5, outcome="unknown"), "fail"),
        (asked(91.5, status=500), "fail"),
    ],
)
def test_what_a_fault_excuses(tmp_path, one, answer):
    words = ["1 more failed while a fault was active"] if answer == "pass" else []
    says(ask("service/answers", tmp_path, {}, requests=[*GOOD, one], faults=[OUTAGE]), answer, words)


def test_where_and_which(tmp_path):
    requests = [*GOOD, asked(70.5, status=500), asked(70.6, kind="nan", status=422)]
    says(ask("service/answers", tmp_path / "a", {"in": "baseline"}, requests=requests), "pass", "60 requests")
    says(ask("service/answers", tmp_path / "b", {"in": "trouble"}, requests=requests), "fail", "1 x 500")
    says(ask("service/answers", tmp_path / "c", {"kinds": ["nan"]}, requests=requests), "pass", "1 requests")
    says(ask("service/answers", tmp_path / "d", {"kinds": ["oversize"]}, requests=requests), "unknown", "No request")


def test_nothing_happened(tmp_path):
    says(ask("service/answers", tmp_path, {}), "unknown", "No request")
    only = [asked(75.0 + at / 10, status=500) for at in range(5)]
    found = ask("service/answers", tmp_path / "fault", {}, requests=only, faults=[OUTAGE])
    says(found, "unknown", "All 5 requests failed while a fault was active")


def test_undeclared_kinds_are_not_guessed(tmp_path):
    run = {"kinds": {"normal": KINDS["normal"]}}
    requests = [*GOOD, asked(5.5, kind="shifted")]
    says(ask("service/answers", tmp_path, {}, requests=requests, run=run), "unknown", "shifted")


@pytest.mark.parametrize(
    ("args", "lacking", "answer", "words"),
    [
        ({}, (0, 0), "pass", "100 requests"),
        ({}, (0, 2), "fail", ["2 of 109 good answers lack a field", "r-1-7 has no prediction"]),
        ({}, (1, 2), "fail", ["3 of 109 good answers lack a field", "r-0-7 has no prediction"]),
        ({"in": "baseline"}, (1, 2), "pass", "60 requests"),  # the count is that of the whole run
        ({"kinds": ["normal"]}, (1, 2), "pass", "100 requests"),
    ],
)
def test_a_good_status_without_the_declared_fields_is_no_answer(tmp_path, args, lacking, answer, words):
    facts = [
        ("answers_checked", 119.0, {"worker": worker, "checked": checked, "lacking": count, "first": first})
        for worker, checked, count, first in (
            (0, 9, lacking[0], "r-0-7 has no prediction"),
            (1, 100, lacking[1], "r-1-7 has no prediction"),
        )
    ]
    says(ask("service/answers", tmp_path, args, requests=GOOD, facts=facts), answer, words)
