"""Both sides onset by onset: what is the same, what may fall either way, what is different."""

import numpy as np
import pytest

from tocsin.harness.judging.fidelity.comparison import Stretch, compare, filled, stretches, without_start
from tocsin.harness.judging.fidelity.prometheus_blocks import states

STATE = {".": 0, "p": 1, "F": 2}


def row(text):
    return np.array([STATE[letter] for letter in text], dtype=np.int8)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("......", []),
        ("..pp..", []),
        ("..FF..", [(None, 30, 60)]),
        (".ppFF.", [(15, 45, 75)]),
        (".ppFF", [(15, 45, None)]),
        ("FF.pF", [(None, 0, 30), (45, 60, None)]),
    ],
)
def test_stretches_of_firing(text, found):
    assert stretches(row(text), 15) == [Stretch(pending=p, start=s, end=e) for p, s, e in found]


@pytest.mark.parametrize(
    ("live", "oracle", "verdicts"),
    [
        ("..ppFFF..", "..ppFFF..", ["same"]),
        ("..ppFFF..", "...ppFF..", ["same"]),  # one evaluation is one scrape
        ("..ppFFFFF", "....ppFFF", ["different"]),
        ("..ppFF...", "..ppFFFF.", ["different"]),
        ("..ppFF...", "..ppFFFFF", ["different"]),
        (".........", "..ppFFF..", ["different"]),
        ("..ppFFF..", ".........", ["different"]),
        ("..ppppp..", ".........", []),  # pending is silence
        (".........", "..ppppF..", ["either way"]),
        ("..pF.....", ".........", ["either way"]),
        ("..FF.FF..", "..FFFFF..", ["same"]),
        ("FF..FF...", "FFFFFF...", ["different", "different"]),
        ("FF....FF.", "FF.......", ["same", "different"]),
        ("FF....FF.", "......FF.", ["different", "same"]),
        ("..F.....F", "..F.....F", ["same", "same"]),
    ],
)
def test_both_sides(live, oracle, verdicts):
    assert [one.verdict for one in compare(row(live), row(oracle), interval_s=15, tolerance_s=15)] == verdicts


@pytest.mark.parametrize(
    ("live", "oracle", "reason"),
    [
        ("....FFF..", "..FFFFF..", "its onset is 30 s later than in production"),
        ("..FFFF...", "..FF.....", "its end is 30 s later than in production"),
        ("..FFFF...", ".........", "only the run saw it fire, for 60 s"),
        (".........", "..FFFFFFF", "only the oracle saw it fire, for 90 s"),
    ],
)
def test_a_difference_is_told(live, oracle, reason):
    assert [one.reason for one in compare(row(live), row(oracle), interval_s=15, tolerance_s=15)] == [reason]


@pytest.mark.parametrize(
    ("states_", "seen", "result"), [("F..F", "1001", "FFFF"), ("p.F.", "1011", "ppF."), ("..F", "001", "..F")]
)
def test_a_missed_evaluation_is_as_the_one_before(states_, seen, result):
    mask = np.array([letter == "1" for letter in seen])
    assert filled(row(states_), mask).tolist() == row(result).tolist()


@pytest.mark.parametrize(("text", "result"), [("..FF", "FFFF"), ("FF..", "...."), ("F", ".")])
def test_evaluations_that_are_not_shown_are_as_the_next_one(text, result):
    assert without_start(row(text), 2).tolist() == row(result).tolist()


@pytest.mark.parametrize(
    ("true", "hold", "keep", "result"),
    [
        ("0110", 0, 0, ".FF."),
        ("011110", 2, 0, ".ppFF."),
        ("0110110", 2, 0, ".pp.pp."),  # a hole begins anew
        ("1110000", 2, 3, "ppFFFF."),
        ("1110100", 2, 2, "ppFFFFF"),  # true again in time: it never ended
        ("1100", 2, 2, "pp.."),  # what only waits is not kept
        ("111", 1.5, 0, "ppF"),
    ],
)
def test_for_and_keep_firing_for(true, hold, keep, result):
    found = states(np.array([letter == "1" for letter in true]), hold, keep)
    assert found.tolist() == row(result).tolist()
