"""A suite file asks about several drills together."""

import pytest

from tests.assertions.test_rules_covered import drill
from tocsin.assertions import SUITE
from tocsin.harness.core.errors import UsageError
from tocsin.harness.judging.check import Answer, Drills
from tocsin.harness.judging.suite import coverage, judge_suite, read_suite

CHECKS = {check.id: check for check in SUITE}
ALERTS = ["Down", "Slow"]


def written(tmp_path, text):
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return path


GOOD = """\
version: 1
expect:
  - rules/covered: {may: [Slow]}
    waive: {until: 2099-01-31, reason: "being written"}
"""


def test_a_suite_file_is_read(tmp_path):
    suite = read_suite(written(tmp_path, GOOD), CHECKS, ALERTS)
    (line,) = suite.expect
    assert (line.check, line.args, line.line, str(line.waive.until)) == (
        "rules/covered",
        {"may": ["Slow"]},
        3,
        "2099-01-31",
    )


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (("version: 1", "version: 2"), 1, "expected 1"),
        (("rules/covered", "rules/coverd"), 3, "did you mean `rules/covered`?"),
        (("rules/covered", "alerts/quiet"), 3, "unknown check `alerts/quiet`"),  # a drill's own check
        (("[Slow]", "[Slwo]"), 3, "did you mean `Slow`?"),
        (("{may", "{my"), 3, "did you mean `may`?"),
        (('reason: "being written"', ""), 4, "`reason`"),
        (("2099-01-31", "2099-02-31"), 4, "a date such as 2027-01-31"),
        (("expect:", "expects:"), 2, "no such key|did you mean `expect`?"),
    ],
)
def test_mistakes_of_a_suite_file(tmp_path, change, line, expected):
    with pytest.raises(UsageError) as caught:
        read_suite(written(tmp_path, GOOD.replace(*change)), CHECKS, ALERTS)
    told = [str(mistake) for mistake in caught.value.mistakes]
    assert any(f"suite.yaml:{line}" in one and any(word in one for word in expected.split("|")) for one in told), told


@pytest.mark.parametrize(
    ("fired", "answer", "waived"),
    [(["Down", "Slow"], "pass", False), (["Down"], "pass", False), (["Slow"], "fail", True)],
)
def test_judging_several_drills(tmp_path, fired, answer, waived):
    suite = read_suite(written(tmp_path, GOOD), CHECKS, ALERTS)
    played = [drill(tmp_path / "one", *fired), drill(tmp_path / "two")]
    (made,) = judge_suite(suite, Drills(played=tuple(played)), CHECKS)
    assert (made.answer, made.waived, made.title) == (answer, waived, "rules/covered {may: [Slow]}")


def test_without_drills_it_is_unknown(tmp_path):
    suite = read_suite(written(tmp_path, GOOD), CHECKS, ALERTS)
    assert judge_suite(suite, Drills(played=()), CHECKS)[0].answer is Answer.UNKNOWN
    assert (
        judge_suite(suite, Drills(played=(drill(tmp_path / "one"),)), {})[0].answer is Answer.UNKNOWN
    )  # another version
    assert coverage(Drills(played=()), CHECKS) == ""


def test_the_coverage_is_told_unasked(tmp_path):
    told = coverage(Drills(played=(drill(tmp_path / "one", "Down"),)), CHECKS)
    assert told == "1 of 2 alerts fired in the one drill; no drill makes Slow fire."


def test_a_check_that_crashes_is_unknown(tmp_path):
    broken = drill(tmp_path / "one", alerts=[{"no": "name"}])
    suite = read_suite(written(tmp_path, GOOD), CHECKS, ALERTS)
    (made,) = judge_suite(suite, Drills(played=(broken,)), CHECKS)
    assert (made.answer, "The check crashed: KeyError" in made.reason) == (Answer.UNKNOWN, True)
