import math

import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import SIGNALS, fault, steady


def gauges(f1=0.0, f2=0.0, f3=0.0, *, until=120.0):
    return {f'drift_detected{{feature="f{n}"}}': steady(v, 0.2, until) for n, v in ((1, f1), (2, f2), (3, f3))}


@pytest.mark.parametrize(
    ("args", "series", "answer", "words"),
    [
        ({}, gauges(), "pass", ["3 features stayed flat", "120 samples"]),
        ({"except": ["f2"]}, gauges(f2=1), "pass", "2 features"),
        ({}, gauges(f2=1), "fail", ["where none was sent", "f2 at 0.2 s"]),
        ({}, gauges(f2=1, f3=1), "fail", ["f2 at 0.2 s", "f3 at 0.2 s"]),
        ({"except": ["f1"]}, gauges(f2=1), "fail", "f2"),
        ({}, {**gauges(), 'drift_detected{feature="f3"}': [*steady(0, 0.2, 120), (70.5, 1)]}, "fail", "f3 at 70.5 s"),
        (
            {"in": "baseline"},
            {**gauges(), 'drift_detected{feature="f3"}': [*steady(0, 0.2, 120), (70.5, 1)]},
            "pass",
            "60",
        ),
        ({}, {}, "unknown", ["Too few samples", "f1 (0 samples of 120 due)"]),
        ({}, gauges(until=50), "unknown", "f1 (50 samples of 120 due)"),
        ({}, gauges(f1=math.nan), "unknown", "f1 (0 samples"),
        ({"except": ["f1", "f2", "f3"]}, gauges(), "unknown", "No feature is left"),
    ],
)
def test_flat(tmp_path, args, series, answer, words):
    says(ask("drift/flat", tmp_path, args, series=series), answer, words)


@pytest.mark.parametrize(
    ("blinds", "answer"), [([("drift", "model")], "pass"), ([("logs", "model")], "unknown"), ([], "unknown")]
)
def test_what_is_blinded_on_purpose_is_not_due(tmp_path, blinds, answer):
    outage = fault("outage", "kill", "trouble", blinds=blinds, injected=50, effective=51, healed=110, gone=112)
    series = gauges(until=50)
    says(ask("drift/flat", tmp_path, {}, series=series, faults=[outage]), answer, "")


def test_a_stack_without_drift_gauges(tmp_path):
    run = {"signals": {**SIGNALS, "drift": None}}
    says(ask("drift/flat", tmp_path, {}, series=gauges(), run=run), "unknown", "declares no drift gauge")
