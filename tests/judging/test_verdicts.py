"""A waiver turns a known failure into something that is reported and does not count, for a time."""

import io
import json as stdlib_json
from datetime import date
from xml.etree import ElementTree as Xml

import pytest

from tests.evidence.build import build
from tocsin.harness.cli.console import console
from tocsin.harness.declarations.scenario import Expectation, Waiver
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.judging.check import Answer, failed, passed, unknown
from tocsin.harness.judging.verdicts import began_on, verdict
from tocsin.harness.report import junit_xml, verdict_table, verdicts_json
from tocsin.harness.report.drill_figures import Summary

WAIVER = Waiver(until="2027-01-31", reason="The exporter is being rewritten.")
LINE = Expectation(check="alerts/quiet", args={}, line=7, waive=WAIVER)
FAILED, PASSED, BLIND = failed("Something fired."), passed("Nothing fired."), unknown("Nobody saw.")


def on(day):
    return date.fromisoformat(day) if day else None


@pytest.mark.parametrize(
    ("finding", "day", "waived", "words"),
    [
        (FAILED, "2026-12-01", True, "Waived until 2027-01-31: The exporter is being rewritten."),
        (FAILED, "2027-01-31", True, "Waived until 2027-01-31"),
        (FAILED, "2027-02-01", False, "The waiver ended on 2027-01-31: The exporter"),
        (FAILED, None, False, "The waiver ended on 2027-01-31"),
        (PASSED, "2026-12-01", False, "It passes, so the waiver until 2027-01-31 can go"),
        (PASSED, "2027-02-01", False, "can go"),
        (BLIND, "2026-12-01", False, "is for a failure, not for what nobody saw"),
    ],
)
def test_what_a_waiver_does(finding, day, waived, words):
    made = verdict(LINE, finding, on(day))
    assert (made.waived, made.answer, made.line) == (waived, finding.answer, 7)
    assert words in made.waiver
    assert made.counted == (Answer.PASS if waived else finding.answer)


def test_without_a_waiver_nothing_is_said():
    made = verdict(LINE.model_copy(update={"waive": None}), FAILED, on("2026-12-01"))
    assert (made.waived, made.waiver, made.counted) == (False, "", Answer.FAIL)


@pytest.mark.parametrize(
    ("run", "day"),
    [
        ({"started_at": "2027-01-31T23:59:59.000+00:00"}, "2027-01-31"),
        ({"started_at": "2027-02-01T00:59:59.000+02:00"}, "2027-01-31"),  # days are those of UTC
        ({}, "1970-01-12"),  # the journal's first fact
    ],
)
def test_the_day_is_that_of_the_run_whenever_it_is_judged(tmp_path, run, day):
    evidence = build(tmp_path, run=run)
    assert str(began_on(evidence)) == day
    (tmp_path / "journal.jsonl").write_text("")
    assert str(began_on(read_evidence(tmp_path))) == (day if run else "None")


def summary(tmp_path, *verdicts):
    return Summary(
        scenario="sample", run_id="r1", folder=tmp_path, outcome="completed", ended=0, speed=30.0,
        production_s=60.0, wall_s=2.0, verdicts=verdicts,
    )  # fmt: skip


def shown(renderable):
    out = io.StringIO()
    console(out).print(renderable)
    return " ".join(out.getvalue().split())


def test_reports_show_what_is_waived(tmp_path):
    made = summary(tmp_path, verdict(LINE, FAILED, on("2026-12-01")), verdict(LINE, PASSED, on("2026-12-01")))
    assert (made.answer, made.code, made.counts) == ("pass", 0, {"pass": 1, "fail": 0, "unknown": 0, "waived": 1})
    told = shown(verdict_table.drill(made))
    for words in ("WAIVED", "Something fired. Waived until 2027-01-31: The exporter", "can go", "1 waived"):
        assert words in told
    rows = verdicts_json.document(made)["verdicts"]
    assert [(row["answer"], row["waived"]) for row in rows] == [("fail", True), ("pass", False)]
    suite = Xml.fromstring(junit_xml.document([made]).partition("?>")[2])
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "2",
        "0",
        "0",
        "0",
    )
    case = suite.find(".//testcase")
    assert case.find("system-out").text.startswith("Something fired. Waived until")
    assert case.find("properties/property").get("name") == "waiver"


def test_an_ended_waiver_is_red_everywhere(tmp_path):
    made = summary(tmp_path, verdict(LINE, FAILED, on("2027-02-01")))
    assert (made.answer, made.code, made.counts) == ("fail", 1, {"pass": 0, "fail": 1, "unknown": 0})
    assert "FAIL" in shown(verdict_table.drill(made))
    suite = Xml.fromstring(junit_xml.document([made]).partition("?>")[2])
    assert "The waiver ended on 2027-01-31" in suite.find(".//failure").text


def test_verdicts_without_a_waiver_are_written_as_before(tmp_path):
    bare = verdict(LINE.model_copy(update={"waive": None}), FAILED, None)
    row = stdlib_json.loads(verdicts_json.text(summary(tmp_path, bare)))["verdicts"][0]
    assert sorted(row) == ["answer", "check", "figures", "files", "line", "reason", "title"]
