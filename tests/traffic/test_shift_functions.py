"""Shifts: the achieved size is the declared one, and what is not named is not touched."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tocsin.harness.core.errors import StackError
from tocsin.harness.declarations.request_format import FeedbackShape, Shape
from tocsin.harness.evidence.requests import KINDS
from tocsin.harness.traffic.payloads import Sample, load_sample, parse_payload
from tocsin.harness.traffic.payloads.phase_content import BLOCK, content
from tocsin.harness.traffic.payloads.shifted import ShiftArgs

NAMES = tuple(f"f{number}" for number in range(1, 10))
SHAPE = Shape(path="/predict", body='{"features": $row}', features=NAMES, integers=True, feedback={})
SHUTTLE = load_sample(Path(__file__).parents[2] / "stacks/reference/service/data/shuttle.npz", SHAPE.model_dump())
RNG = np.random.default_rng(5)
REAL = Sample(
    reference=RNG.normal(50, 10, (3000, 9)), live=RNG.normal(50, 10, (3000, 9)),
    shape=SHAPE.model_copy(update={"integers": False}), whole=(False,) * 9, levels={},
    labels=(RNG.random(3000) < 0.3).astype(int),
)  # fmt: skip
COUNT = 1000
ONE_IN_A_BLOCK = 2 / COUNT


def play(payload, sample=REAL, at_s=None, speed=1.0, seed=(7, 0)):
    """Return all rows as sent, the batches and what was delivered."""
    at_s = np.arange(COUNT) / 100 if at_s is None else at_s
    made = content(payload, sample, seed=seed, speed=speed)
    batches = [made.batch(first, at_s[first : first + BLOCK]) for first in range(0, len(at_s), BLOCK)]
    rows = [json.loads(batch.body(i))["features"] for batch in batches for i in range(len(batch.kinds))]
    return rows, batches, made.delivered()


NORMAL, _, _ = play({})


@pytest.mark.parametrize(
    ("payload", "bound"),
    [
        ({"shift": "mean", "by_sd": 0.5}, 1e-9),
        ({"shift": "mean", "by_sd": -2}, 1e-9),
        ({"shift": "scale", "factor": 1.7}, 1e-9),
        ({"shift": "scale", "factor": 0}, 1e-9),
        ({"shift": "outliers", "share": 0.05, "at_sd": 6}, ONE_IN_A_BLOCK),
        ({"shift": "zeros", "share": 0.2}, ONE_IN_A_BLOCK),
        ({"shift": "clipping", "share": 0.3}, 0.03),
        ({"shift": "missing", "share": 0.1}, ONE_IN_A_BLOCK),
        ({"shift": "nan", "share": 1}, 0),
    ],
)
@pytest.mark.parametrize("features", [["f3"], ["f2", "f9"]])
def test_the_achieved_size_is_the_declared_one_and_other_features_are_untouched(payload, bound, features):
    rows, _, delivered = play({**payload, "features": features})
    size = next(payload[name] for name in ("by_sd", "factor", "share") if name in payload)
    assert [one["feature"] for one in delivered] == features
    for one in delivered:
        assert one["declared"] == size and one["requests"] == COUNT
        assert one["achieved"] == pytest.approx(size, abs=bound + 1e-12)
    others = [place for place, name in enumerate(NAMES) if name not in features]
    assert all(
        [row[place] for place in others] == [was[place] for place in others]
        for row, was in zip(rows, NORMAL, strict=True)
    )


def test_the_mean_moves_in_raw_units_and_the_achieved_shift_says_so():
    rows, _, (one,) = play({"shift": "mean", "features": ["f3"], "by_sd": 0.5})
    moved = np.mean([row[2] for row in rows]) - np.mean([row[2] for row in NORMAL])
    assert moved == pytest.approx(0.5 * REAL.reference[:, 2].std())


@pytest.mark.parametrize("by_sd", [0.5, -0.5])
def test_half_an_sd_of_the_reference_stack_stays_near_half_an_sd_when_rounded(by_sd):
    features = ["f1", "f3", "f5", "f7", "f8"]
    rows, _, delivered = play({"shift": "mean", "features": features, "by_sd": by_sd}, SHUTTLE)
    assert all(0.45 <= one["achieved"] / by_sd * 0.5 <= 0.521 for one in delivered)
    assert all(type(value) is int for value in rows[0])


def test_a_shift_too_small_for_integers_is_told_as_none():
    _, _, (one,) = play({"shift": "mean", "features": ["f1"], "by_sd": 0.001}, SHUTTLE)
    assert one["declared"] == 0.001 and one["achieved"] == 0


def test_each_feature_may_have_a_size_of_its_own():
    _, _, delivered = play({"shift": "mean", "features": {"f1": 0.5, "f2": -1}})
    assert {one["feature"]: round(one["achieved"], 9) for one in delivered} == {"f1": 0.5, "f2": -1}


@pytest.mark.parametrize(("sent_as", "value"), [({}, None), ({"sent_as": "null"}, None)])
def test_missing_values_are_null_and_make_a_kind_of_their_own(sent_as, value):
    rows, batches, _ = play({"shift": "missing", "features": ["f3"], "share": 0.25, **sent_as})
    kinds = [KINDS[kind] for batch in batches for kind in batch.kinds]
    assert kinds == ["missing" if row[2] is value else "shifted" for row in rows]
    assert kinds.count("missing") == pytest.approx(0.25 * COUNT, abs=2)


def test_a_field_can_be_left_out_where_fields_are_named():
    shape = SHAPE.model_copy(
        update={"features": ("f1", "f2"), "body": '{"features": {"f1": $f1, "in": {"f2": "$f2"}}}'}
    )
    sample = Sample(reference=REAL.live[:, :2], live=REAL.live[:, :2], shape=shape, whole=(False,) * 2, levels={})
    rows, _, _ = play({"shift": "missing", "features": ["f2"], "share": 1, "sent_as": "absent"}, sample)
    assert all(row.keys() == {"f1", "in"} and row["in"] == {} for row in rows)


def test_nan_is_sent_as_the_literal_and_counts_as_the_kind_nan():
    rows, batches, _ = play({"shift": "nan", "features": ["f3"], "share": 0.5})
    kinds = [KINDS[kind] for batch in batches for kind in batch.kinds]
    assert kinds == ["nan" if row[2] != row[2] else "shifted" for row in rows]


def test_outliers_lie_on_both_sides_at_their_distance():
    rows, _, _ = play({"shift": "outliers", "features": ["f3"], "share": 0.1, "at_sd": 20})
    away = (np.array([row[2] for row in rows]) - REAL.reference[:, 2].mean()) / REAL.reference[:, 2].std()
    assert np.abs(away[np.abs(away) > 10]) == pytest.approx(20)
    assert 0.4 < (away[np.abs(away) > 10] > 0).mean() < 0.6


def test_clipping_leaves_nothing_beyond_its_quantiles():
    rows, _, _ = play({"shift": "clipping", "features": ["f3"], "share": 0.4})
    low, high = np.quantile(REAL.reference[:, 2], [0.2, 0.8])
    sent = [row[2] for row in rows]
    assert min(sent) == pytest.approx(low, abs=0.1) and max(sent) == pytest.approx(high, abs=0.1)


TEXT = Sample(
    reference=RNG.integers(0, 3, (500, 9)).astype(float), live=RNG.integers(0, 3, (500, 9)).astype(float), shape=SHAPE,
    whole=(True,) * 9, levels={"f3": ("a", "b", "c")},
)  # fmt: skip


@pytest.mark.parametrize(("feature", "following"), [("f3", {"a": "b", "b": "c", "c": "a"}), ("f4", {0: 1, 1: 2, 2: 0})])
def test_a_swap_sends_the_next_category(feature, following):
    rows, _, (one,) = play({"shift": "swap", "features": [feature], "share": 0.5}, TEXT)
    normal, _, _ = play({}, TEXT)
    place = NAMES.index(feature)
    pairs = [(was[place], row[place]) for was, row in zip(normal, rows, strict=True) if was != row]
    assert len(pairs) == pytest.approx(COUNT / 2, abs=2) and one["achieved"] == pytest.approx(0.5, abs=ONE_IN_A_BLOCK)
    assert all(row == following[was] for was, row in pairs)


@pytest.mark.parametrize("share", [0.05, 0.9])
def test_the_label_prior_is_the_declared_one(share):
    _, batches, (one,) = play({"shift": "label", "label": 1, "share": share})
    assert np.concatenate([batch.truth for batch in batches]).mean() == pytest.approx(share, abs=ONE_IN_A_BLOCK)
    assert one["achieved"] == pytest.approx(share, abs=ONE_IN_A_BLOCK) and one["feature"] is None


def test_a_concept_shift_changes_the_truths_that_are_told_and_no_input():
    feedback = {"share": 0.5, "delay": "1m"}
    rows, batches, (one,) = play({"shift": "concept", "share": 0.4, "feedback": feedback})
    _, before, _ = play({"feedback": feedback})
    told = np.concatenate([batch.feedback for batch in batches])
    turned = np.concatenate([now.truth != was.truth for now, was in zip(batches, before, strict=True)])
    assert rows == NORMAL
    assert not turned[~told].any() and told.mean() == pytest.approx(0.5, abs=ONE_IN_A_BLOCK)
    assert turned[told].mean() == pytest.approx(0.4, abs=2 * ONE_IN_A_BLOCK)
    assert one["achieved"] == pytest.approx(0.4, abs=2 * ONE_IN_A_BLOCK)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        ({"over": "100s"}, lambda at: np.minimum(at / 100, 1)),
        ({"every": "20s", "duty": 0.25}, lambda at: at % 20 < 5),
        ({}, lambda at: np.ones(len(at))),
    ],
)
@pytest.mark.parametrize("speed", [1, 60])
def test_a_shift_comes_at_once_or_grows_or_recurs_in_production_time(times, wanted, speed):
    at_s = np.arange(0, 60, 0.06)
    rows, _, (one,) = play({"shift": "mean", "features": ["f3"], "by_sd": 2, **times}, at_s=at_s / speed, speed=speed)
    moved = np.array([row[2] for row in rows]) - np.array([row[2] for row in NORMAL[: len(at_s)]])
    assert moved == pytest.approx(2 * REAL.reference[:, 2].std() * wanted(at_s), abs=0.05)
    assert one["achieved"] == pytest.approx(2)


def test_before_a_shift_is_in_force_nothing_is_told_of_its_size():
    _, _, (one,) = play({"shift": "mean", "features": ["f3"], "by_sd": 2, "over": "1h"}, at_s=np.zeros(10))
    assert one["achieved"] is None


@pytest.mark.parametrize(
    "payload", [{}, {"shift": "zeros", "features": ["f1"], "share": 0.3}, {"faulty": ["nan"], "share": 0.1}]
)
def test_the_same_seed_sends_the_same_and_another_seed_does_not(payload):
    assert str(play(payload)[0]) == str(play(payload)[0]) != str(play(payload, seed=(8, 0))[0])


def test_a_share_holds_over_several_blocks():
    at_s = np.zeros(2 * BLOCK + 100)
    rows, _, (one,) = play({"shift": "zeros", "features": ["f1"], "share": 0.3}, at_s=at_s)
    assert len(rows) == one["requests"] == len(at_s)
    assert one["achieved"] == pytest.approx(0.3, abs=3 / len(at_s))
    assert rows[:1000] != rows[BLOCK : BLOCK + 1000]


def test_feedback_changes_no_row():
    assert play({"feedback": {"share": 0.5, "delay": "1m"}})[0] == NORMAL


def test_feedback_tells_the_truth_of_a_share_after_a_delay():
    made = content({"feedback": {"share": 0.25, "delay": "1m"}}, REAL, seed=(7, 0), speed=30)
    batch = made.batch(0, np.zeros(400))
    assert made.feedback.delay_s == 2 and made.feedback.form.path == "/feedback"
    assert batch.feedback.sum() == 100
    assert json.loads(made.feedback.body("r-1-9", 1)) == {"request_id": "r-1-9", "label": 1}


def test_no_truth_is_told_about_faulty_requests():
    made = content({"faulty": ["nan"], "share": 0.5, "feedback": {"share": 1, "delay": "1m"}}, REAL, seed=(7, 0))
    batch = made.batch(0, np.zeros(400))
    assert [KINDS[kind] == "normal" for kind in batch.kinds] == batch.feedback.tolist()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"shift": "median", "features": ["f1"], "by_sd": 1}, "mean"),
        ({"shift": "mean", "features": [], "by_sd": 1}, "at least 1"),
        ({"shift": "mean", "features": ["f1", "f1"], "by_sd": 1}, "named twice"),
        ({"shift": "mean", "features": ["f1"], "by_sd": float("nan")}, "finite"),
        ({"shift": "mean", "features": ["f1"], "by_sd": 1, "extra": 1}, "not permitted"),
        ({"shift": "mean", "features": ["f1"], "share": 1}, "needs by_sd.*mean takes no share"),
        ({"shift": "mean", "features": {"f1": 1}, "by_sd": 1}, "not both"),
        ({"shift": "mean", "features": ["f1"], "by_sd": 101}, "between -100 and 100"),
        ({"shift": "zeros", "features": {"f1": 1.5}}, "between 0 and 1"),
        ({"shift": "outliers", "features": ["f1"], "share": 0.1}, "needs at_sd"),
        ({"shift": "label", "share": 0.1}, "needs label"),
        ({"shift": "concept", "features": ["f1"], "share": 0.1}, "takes no features"),
        ({"shift": "zeros", "features": ["f1"], "share": 1, "over": "1m", "every": "1m", "duty": 0.5}, "not both"),
        ({"shift": "zeros", "features": ["f1"], "share": 1, "every": "1m"}, "come together"),
    ],
)
def test_wrong_arguments_are_refused(args, says):
    with pytest.raises(ValidationError, match=says):
        ShiftArgs.model_validate(args)


STRANGE = replace(REAL, shape=SHAPE.model_copy(update={"feedback": FeedbackShape(body='{"t": $truth}')}))
UNLABELLED = Sample(reference=REAL.live, live=REAL.live, shape=SHAPE, whole=(False,) * 9, levels={})


@pytest.mark.parametrize(
    ("payload", "sample", "says"),
    [
        ({"shift": "mean", "features": ["f3"], "by_sd": 1}, TEXT, "f3 holds text, which has no mean"),
        ({"shift": "label", "label": 1, "share": 1}, UNLABELLED, "at least two classes; the sample has 0"),
        ({"shift": "label", "label": 7, "share": 1}, REAL, "No row has the label 7; known are 0, 1"),
        ({"feedback": {"share": 1, "delay": "1m"}}, UNLABELLED, "rows without labels"),
        ({"shift": "mean", "features": ["f0"], "by_sd": 1}, REAL, "no feature 'f0'"),
        ({"faulty": ["unknown_model"], "share": 1}, REAL, r"declares `payload\.v2`"),
        ({"feedback": {"share": 1, "delay": "1m"}}, STRANGE, r"has \$truth, which is none of row, request_id, label"),
    ],
)
def test_what_the_rows_cannot_give_is_told_before_the_first_request(payload, sample, says):
    with pytest.raises(StackError, match=says):
        content(payload, sample, seed=(1, 0))


def test_a_feature_of_many_values_is_no_category():
    made = content({"shift": "swap", "features": ["f3"], "share": 1}, REAL, seed=(1, 0))
    with pytest.raises(StackError, match="3000 values and is no category"):
        made.batch(0, np.zeros(10))


def test_every_shift_of_the_model_is_in_the_table():
    from typing import get_args

    from tocsin.harness.traffic.payloads.shift_functions import OF_VALUES
    from tocsin.harness.traffic.payloads.shifted import SIZES

    assert set(get_args(ShiftArgs.model_fields["shift"].annotation)) == set(SIZES)
    assert set(SIZES) - set(OF_VALUES) == {"missing", "nan", "label", "concept"}
    assert parse_payload({"shift": "mean", "features": ["f1"], "by_sd": 1}).sizes == {"f1": 1}
