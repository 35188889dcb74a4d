"""The stages as a table for people and as JSON for programs."""

import io
import json as plain_json

import pytest
from rich.console import Console

from tocsin.harness.evidence.detection_stages import ONSET, RELIEF, Detection, Stage
from tocsin.harness.evidence.rule_windows import short_history
from tocsin.harness.judging.check import Answer
from tocsin.harness.report import detection_table, verdict_table, verdicts_json
from tocsin.harness.report.drill_figures import Summary

AT = 1_000.0
BURN = "sum(rate(bad[1h])) / sum(rate(all[1h])) > 0.0144"


def stages(names, *after, resolution_s=15.0):
    return tuple(
        Stage(name=name, at=None if at is None else AT + at / 10, resolution_s=resolution_s)
        for name, at in zip(names, after, strict=True)
    )


def detected(**more):
    given = {
        "alert": "HighErrorRate",
        "labels": {"severity": "critical", "model_name": "shuttle"},
        "cause": "failing",
        "speed": 10.0,
        "onset": stages(ONSET, 0, 12, 71, 71, 191, 192, 221),
        "relief": stages(RELIEF, 0, 12, 267, 267, 276, 282),
        "bound_s": 360.0,
    }
    return Detection(**{**given, **more})


def shown(*found):
    out = io.StringIO()
    Console(file=out, width=100).print(detection_table.table(found) or "nothing")
    return [" ".join(line.split()) for line in out.getvalue().splitlines() if line.strip()]


def test_a_line_for_the_way_there_and_one_for_the_way_back():
    lines = shown(detected())
    assert lines[0] == "detection, production s sampled true firing received notified slowest step"
    assert lines[1] == "HighErrorRate shuttle 12 71 191 192 221 pending to firing, 120 s;"
    assert lines[2] == "after failing bound 360 s"
    assert lines[3] == "recovery 12 267 267 276 282 sampled to false, 255 s"
    assert lines[4].startswith(
        "Times are first observations; the true time may be earlier by up to one interval: sampled 15 s"[:70]
    )
    assert not any("fresh stack" in line or ">=" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"onset": stages(ONSET, 0, 8, None, None, None, None, None), "bound_s": None}, "8 - - - - it never fired"),
        ({"onset": stages(ONSET, None, None, 71, 71, 191, 192, None)}, "- - - - - -"),
        ({"onset": stages(ONSET, 0, 5, 5, None, 5, 6, 50), "bound_s": None}, "5 5 5 6 50 received to notified, 44"),
        (
            {"short_history": short_history(BURN, 600)},
            "HighErrorRate on a fresh stack: its window of 3600 s has 600 s of history, so its time is",
        ),
        ({"cause": ""}, "of no planned cause bound 360 s"),
    ],
)
def test_what_cannot_be_told(change, line):
    assert any(line in one for one in shown(detected(**change)))


def test_a_series_that_was_moving_is_marked():
    onset = (*stages(ONSET, 0, 12, 71, 71, 191, 192, 221),)
    moving = Stage(name="sampled", at=AT + 1.2, resolution_s=15.0, note="moving")
    lines = shown(detected(onset=(onset[0], moving, *onset[2:])))
    assert ">=12" in lines[1]
    assert any(line.startswith("`>=` is a lower bound: the rule's inputs were already changing.") for line in lines)


def test_nothing_detected_is_no_table():
    assert detection_table.table([]) is None


def summary(folder, *found):
    return Summary(
        scenario="s", run_id="r", folder=folder, outcome="completed", ended=0, speed=10.0, production_s=60.0,
        wall_s=6.0, verdicts=(), detections=found,
    )  # fmt: skip


def test_it_stands_in_both_reports(tmp_path):
    one = summary(tmp_path, detected(short_history=short_history(BURN, 600)))
    assert one.answer is Answer.UNKNOWN  # stages are no verdict
    read = plain_json.loads(verdicts_json.text(one))["detection"]
    assert [(row["alert"], row["total_s"], row["slowest"]["step"]) for row in read] == [
        ("HighErrorRate", 221.0, "pending to firing")
    ]
    assert [stage["after_s"] for stage in read[0]["onset"]] == [0, 12, 71, 71, 191, 192, 221]
    assert read[0]["optimistic"] == {"window_s": 3600.0, "history_s": 600, "by_s": 43.074, "exact": True}
    out = io.StringIO()
    Console(file=out, width=100).print(verdict_table.drill(one))
    assert "detection, production s" in out.getvalue()
