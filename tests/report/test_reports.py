"""Reports on tiny drills: the overall answer, the table at 100 columns, JSON and JUnit that programs can read."""

import io
import json as stdlib_json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from tests.cli.faked import BLIND, FAILED, PASSED, write_run
from tocsin.harness.cli.console import console
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.check import Answer, Verdict
from tocsin.harness.report import junit_xml, verdict_table, verdicts_json
from tocsin.harness.report.drill_figures import Summary, summarise


def drill(*verdicts, outcome="completed", ended=0):
    return Summary(
        scenario="sample",
        run_id="r1",
        folder=Path("runs/sample/r1"),
        outcome=outcome,
        ended=ended,
        speed=30.0,
        production_s=1200.0,
        wall_s=75.2,
        verdicts=verdicts,
    )


def shown(renderable):
    out = io.StringIO()
    console(out).print(renderable)
    return out.getvalue()


@pytest.mark.parametrize(
    ("verdicts", "more", "answer", "code"),
    [
        ((PASSED,), {}, "pass", 0),
        ((PASSED, FAILED), {}, "fail", 1),
        ((PASSED, BLIND), {}, "unknown", 2),
        ((BLIND, FAILED), {}, "fail", 1),
        ((), {}, "unknown", 2),
        ((PASSED,), {"outcome": "Prometheus died.", "ended": 2}, "unknown", 2),
        ((FAILED,), {"outcome": "Prometheus died.", "ended": 2}, "fail", 1),
        ((PASSED,), {"outcome": "completed", "ended": 70}, "unknown", 2),
    ],
)
def test_the_overall_answer(verdicts, more, answer, code):
    made = drill(*verdicts, **more)
    assert (made.answer, made.code) == (answer, code)


@pytest.mark.parametrize(
    ("written", "outcome", "ended", "wall_s"),
    [
        ({}, "completed", 0, 75.0),
        ({"outcome": "interrupted by SIGINT", "exit_code": 130}, "interrupted by SIGINT", 130, 75.0),
        ({"outcome": "running", "exit_code": 2}, "The run was killed before it could record its end", 2, 75.0),
    ],
)
def test_a_summary_of_a_run_directory(tmp_path, written, outcome, ended, wall_s):
    made = summarise(read_evidence(write_run(tmp_path, **written)), (PASSED,))
    assert (made.scenario, made.run_id, made.speed, made.production_s) == ("sample", "r1", 30.0, 1200.0)
    assert (made.outcome, made.ended, made.wall_s) == (outcome, ended, wall_s)


def test_a_run_that_was_killed_lasted_as_long_as_its_journal(tmp_path):
    folder = write_run(tmp_path, outcome="running", exit_code=2)
    run = stdlib_json.loads((folder / "run.json").read_text())
    del run["finished_at"]
    (folder / "run.json").write_text(stdlib_json.dumps(run))
    facts = [{"fact": "run_started", "at": 100.0, "monotonic": 1.0}, {"fact": "inject", "at": 130.5, "monotonic": 31.5}]
    (folder / "journal.jsonl").write_text("".join(stdlib_json.dumps(fact) + "\n" for fact in facts))
    assert summarise(read_evidence(folder), (PASSED,)).wall_s == 30.5


LONG = " ".join(f"word{number}" for number in range(60))


def test_sentences_are_wrapped_at_100_columns_and_never_cut():
    title = "alerts/fire HighErrorRateOfAVeryLongNameIndeed in a_phase_of_a_long_name, within 6m, to page"
    told = shown(verdict_table.drill(drill(replace(FAILED, reason=LONG, title=title))))
    assert max(map(len, told.splitlines())) <= 100
    assert [word for word in LONG.split() if word not in told] == []
    assert "…" not in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("made", "words", "absent"),
    [
        (drill(PASSED), ["PASS", "Nothing fired.", "1 pass, 0 fail, 0 unknown; 20m of production"], "See"),
        (drill(FAILED), ["FAIL", "HighErrorRate did not fire.", "See metrics/.", "Evidence: "], "PASS"),
        (drill(BLIND, outcome="Prometheus died", ended=2), ["Prometheus died.", "UNKNOWN", "logs/ledger"], "PASS"),
        (drill(outcome="No port", ended=2), ["No port.", "UNKNOWN  sample: 0 pass, 0 fail, 0 unknown"], "answer"),
    ],
    ids=["pass", "fail", "unknown", "nothing"],
)  # fmt: skip
def test_the_table(made, words, absent):
    told = " ".join(shown(verdict_table.drill(made)).split())
    assert [word for word in words if " ".join(word.split()) not in told] == []
    assert absent not in told


@pytest.mark.parametrize(
    ("outcome", "why", "once"),
    [
        ("Waited 60 s for a port. Free one.\n  its log", "Waited 60 s for a port", "Waited 60 s for a port"),
        ("No port", "no port; model died: exit 1", "Play never began: no port; model died: exit 1."),
    ],
)
def test_why_play_never_began_stands_once_above_short_rows(outcome, why, once):
    rows = [replace(BLIND, check=f"a/b{number}", reason=f"Play never began: {why}.") for number in range(9)]
    made = drill(*rows, outcome=outcome, ended=2)
    told = " ".join(shown(verdict_table.drill(made)).split())
    assert (told.count(once), told.count("Play never began, see above.")) == (1, 9)
    assert told.index(once) < told.index("a/b0")
    assert [row["reason"] for row in verdicts_json.document(made)["verdicts"]] == [f"Play never began: {why}."] * 9


@pytest.mark.parametrize(
    ("title", "lines", "name"),
    [
        ("", "alerts/quiet", "alerts/quiet"),
        ("alerts/quiet", "alerts/quiet", "alerts/quiet"),
        ("alerts/quiet {in: baseline}", "alerts/quiet in: baseline", "alerts/quiet {in: baseline}"),
        ("in baseline", "alerts/quiet in baseline", "alerts/quiet in baseline"),
    ],
)
def test_a_verdict_is_named_once_by_its_check(title, lines, name):
    made = drill(Verdict(check="alerts/quiet", title=title, answer=Answer.PASS, reason="Yes."))
    table = shown(verdict_table.drill(made)).partition("Yes.")
    first, below = table[0].split("PASS")[1].strip(), table[2].partition("PASS")[0].strip()
    assert f"{first} {below}".strip() == lines
    case = Xml.fromstring(junit_xml.document([made]).partition("?>")[2]).find(".//testcase")
    assert case.get("name") == name


def test_a_suite_tells_what_was_not_played():
    told = shown(verdict_table.suite([("one", Answer.PASS, "all well"), ("two", None, "needs root")]))
    assert "PASS" in told
    assert "NOT PLAYED" in told
    assert "1 of 2 drills played." in told


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (1.5, 1.5),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        (True, True),
        (np.float64(2.5), 2.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([1.0, np.nan]), [1.0, None]),
        (Interval(start=1.0, end=2.0), {"start": 1.0, "end": 2.0}),
        ({1: (1, 2)}, {"1": [1, 2]}),
        pytest.param({"b", "a"}, ["a", "b"], id="a set"),  # its repr changes from process to process
        (Path("x"), "x"),
        (Answer.FAIL, "fail"),
    ],
    ids=str,
)
def test_figures_become_plain_json(value, plain):
    assert verdicts_json.json_value(value) == plain
    stdlib_json.dumps(verdicts_json.json_value(value), allow_nan=False)


def test_verdicts_json_holds_what_its_readme_says():
    made = drill(PASSED, replace(FAILED, figures={"late_s": np.float64(12.5)}))
    read = stdlib_json.loads(verdicts_json.text(made))
    assert read["schema"] == verdicts_json.SCHEMA
    assert read["verdicts"][1] == {
        "check": "alerts/fire",
        "title": "alerts/fire HighErrorRate in trouble",
        "answer": "fail",
        "reason": "HighErrorRate did not fire.",
        "files": ["metrics/"],
        "figures": {"late_s": 12.5},
        "line": 14,
    }
    readme = Path(verdicts_json.__file__).with_name("README.md").read_text()
    assert [key for key in {**read, **read["verdicts"][0]} if f"`{key}`" not in readme] == []


@pytest.mark.parametrize(
    ("before", "now", "differences"),
    [
        ((PASSED, FAILED), (PASSED, FAILED), []),
        ((PASSED,), (replace(PASSED, answer=Answer.FAIL),), ["alerts/quiet: was pass (Nothing fired.)"]),
        ((PASSED, BLIND), (PASSED,), ["logs/ledger: no longer judged"]),
        ((PASSED,), (PASSED, BLIND), ["logs/ledger: not judged before"]),
    ],
)
def test_judging_again_is_compared(tmp_path, before, now, differences):
    stored = tmp_path / "verdicts.json"
    stored.write_text(verdicts_json.text(drill(*before)))
    assert verdicts_json.differences(drill(*now), stored) == differences


@pytest.mark.parametrize("stored", [None, "", "[]", "{}", '{"verdicts": [1]}'])
def test_there_may_be_nothing_to_compare_with(tmp_path, stored):
    path = tmp_path / "verdicts.json"
    if stored is not None:
        path.write_text(stored)
    assert verdicts_json.differences(drill(PASSED), path) is None


def read_junit(*drills):
    return Xml.fromstring(junit_xml.document(drills).partition("?>")[2])


@pytest.mark.parametrize(
    ("made", "totals"),
    [
        (drill(PASSED), ("1", "0", "0", "0")),
        (drill(PASSED, FAILED, BLIND), ("3", "1", "1", "0")),
        (drill(PASSED, outcome="Prometheus died", ended=2), ("2", "0", "1", "0")),
        (junit_xml.Unjudged(scenario="x", sentence="needs root", skipped=True), ("1", "0", "0", "1")),
        (junit_xml.Unjudged(scenario="x", sentence="no disk", skipped=False), ("1", "0", "1", "0")),
    ],
    ids=["pass", "all three", "died", "not played", "broken"],
)
def test_junit_counts(made, totals):
    root = read_junit(made)
    assert tuple(root.get(name) for name in ("tests", "failures", "errors", "skipped")) == totals
    assert tuple(root[0].get(name) for name in ("tests", "failures", "errors", "skipped")) == totals


def test_junit_merges_drills():
    root = read_junit(drill(PASSED), drill(FAILED))
    assert (len(root), root.get("tests"), root.get("failures")) == (2, "2", "1")


def test_junit_takes_any_text():
    reason = 'a < b & "c" \x00\x1b[31m ü \ud800'
    case = read_junit(drill(replace(FAILED, reason=reason))).find(".//failure")
    assert case.get("message").startswith('a < b & "c" ')
    assert "ü" in case.get("message")
