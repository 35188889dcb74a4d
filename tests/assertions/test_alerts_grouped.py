import pytest
from pydantic import ValidationError

from tests.assertions.asking import alive, ask, says
from tests.evidence.build import firing, notice
from tocsin.assertions.alerts_grouped import Grouped

ERRORS, SLOW = 'HighErrorRate{job="a"}', 'HighLatency{job="a"}'
F3, F7 = 'FeatureDrift{feature="f3"}', 'FeatureDrift{feature="f7"}'
TWO = {"alerts": ["HighErrorRate", "HighLatency"], "by": ["service"], "in": "trouble"}
ALL_OF_ONE = {"alert": "FeatureDrift", "in": "trouble"}
BOTH = firing(ERRORS, start=70, end=100) | firing(SLOW, start=71, end=100)
DRIFTS = firing(F3, start=70, end=100) | firing(F7, start=71, end=100)
S, J = {"service": "x"}, {"job": "a"}


@pytest.mark.parametrize(
    ("args", "notices", "answer", "words"),
    [
        (
            TWO,
            [notice(75, "page", ERRORS, SLOW, group=S)],
            "pass",
            "2 alerts arrived in one notice of one group at page.",
        ),
        (
            TWO,  # one after the other
            [notice(75, "page", ERRORS, group=S), notice(80, "page", ERRORS, SLOW, group=S)],
            "fail",
            "2 alerts took 2 notices, at most 1: HighLatency came later.",
        ),
        (
            {**TWO, "at_most": 2},
            [notice(75, "page", ERRORS, group=S), notice(80, "page", ERRORS, SLOW, group=S)],
            "pass",
            "in 2 notices of one group",
        ),
        (
            {**TWO, "by": []},
            [notice(75, "page", ERRORS, group=S), notice(75, "page", SLOW, group=J)],
            "fail",
            "2 alerts arrived in 2 groups, not in one: HighErrorRate at page; HighLatency at page.",
        ),
        (
            {**TWO, "by": []},
            [notice(75, "page", ERRORS, group=S), notice(75, "chat", SLOW, group=S)],
            "fail",
            "HighLatency at chat",
        ),
        (
            {**TWO, "to": "page"},
            [notice(75, "page", ERRORS, SLOW, group=S), notice(75, "chat", SLOW)],
            "pass",
            "one group",
        ),
        (TWO, [notice(75, "page", ERRORS, SLOW, group=J)], "fail", "told in a group by job, not by service"),
        (TWO, [notice(75, "page", ERRORS, SLOW)], "fail", "in a group by nothing, not by service"),
        (
            TWO,
            [notice(75, "page", ERRORS, group=S)],
            "fail",
            "HighLatency fired, but was never delivered, grouped or not",
        ),
        ({**TWO, "to": "page"}, [], "fail", "never delivered to page"),
        (ALL_OF_ONE, [], "unknown", "FeatureDrift did not begin to fire there"),
    ],
)
def test_two_alerts(tmp_path, args, notices, answer, words):
    says(ask("alerts/grouped", tmp_path, args, series=alive(BOTH), notifications=notices), answer, words)


@pytest.mark.parametrize(
    ("series", "notices", "answer", "words"),
    [
        (DRIFTS, [notice(75, "page", F3, F7)], "pass", "2 alerts arrived in one notice"),
        (
            DRIFTS,
            [notice(75, "page", F3), notice(75, "page", F7, group=J)],
            "fail",
            'FeatureDrift{feature="f3"} at page',
        ),
        (DRIFTS, [notice(75, "page", F3)], "fail", 'FeatureDrift{feature="f7"} fired, but was never delivered'),
        (firing(F3, start=70, end=100), [notice(75, "page", F3)], "unknown", "Only one FeatureDrift fired"),
        (firing(F3, start=50, end=100), [notice(75, "page", F3)], "unknown", "did not begin to fire there"),
    ],
)
def test_all_of_one_alert(tmp_path, series, notices, answer, words):
    says(ask("alerts/grouped", tmp_path, ALL_OF_ONE, series=alive(series), notifications=notices), answer, words)


@pytest.mark.parametrize("args", [{}, {"alerts": ["A"]}, {"alert": "A", "alerts": ["A", "B"]}])
def test_one_way_of_naming(args):
    with pytest.raises(ValidationError, match="either `alerts` with at least two names, or `alert` with one"):
        Grouped.model_validate(args)
