"""The proof by an independent oracle: compressed rules over compressed series fire when the original ones do.

promtool evaluates each rule in virtual time, once as written over production samples, and once divided by K over the
samples that a drill at speed K would have: gauges as they are, K times fewer counted, times divided. Evaluation by
evaluation both must be in the same state.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.harness.core.clock import format_duration
from tocsin.harness.monitoring.promql import compress
from tocsin.harness.monitoring.promql.compress import compress_rules
from tocsin.harness.monitoring.promql.compression_analysis import Analysis
from tocsin.harness.monitoring.promql.time_dimension import NUMBER
from tocsin.harness.provisioning.programs import cache_folder, find_all

SPEED, EACH_S, SAMPLES = 15, 15, 160
_STATE = {"pending": 1, "firing": 2}
_GOT = re.compile(r"^ *expr: .*, time: (\S+),$\n^ *exp: .*$\n^ *got: ?(.*)$", re.MULTILINE)
_ALERT = re.compile(r'alertname="(\w+)", alertstate="(\w+)"')


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A rule that must be false, true and false again over the gauge `g`, the counter `c_total` or the time `at`."""

    name: str
    expr: str
    wait: str = "1m"
    keep: str = ""


SHAPES = (
    Shape(name="Increase", expr="increase(c_total[5m]) > 750"),
    Shape(name="IncreaseLeft", expr="300 < sum by (job) (increase(c_total[3m] offset 2m)) / 2"),
    Shape(name="IncreaseOr", expr="(increase(c_total[5m]) or vector(10)) * 2 + 30 > 1400"),
    Shape(name="Rate", expr="rate(c_total[4m]) > 2.5", keep="4m"),
    Shape(name="Predict", expr="predict_linear(g[5m], 10 * 60) > 60", wait="2m"),
    Shape(name="Deriv", expr="deriv(g[4m]) > 0.04"),
    Shape(name="Delta", expr="delta(g[4m]) > 8"),
    Shape(name="Changes", expr="changes(g[5m]) > 3"),
    Shape(name="Age", expr="time() - at > 180"),
    Shape(name="AgeInMinutes", expr="3 < (time() - max by (job) (at)) / 60"),
    Shape(name="Stamped", expr="at < time() - 200"),
    Shape(name="Subquery", expr="max_over_time(rate(c_total[1m])[5m:1m]) > 3"),
    Shape(name="SubqueryNoStep", expr="avg_over_time(g[4m:]) > 20", wait="0s"),
    Shape(name="SubqueryOffset", expr="min_over_time(deriv(g[2m])[3m:30s] offset 1m) > 0.02"),
    Shape(name="Offset", expr="g - g offset 5m > 8", keep="2m"),
    Shape(name="Recorded", expr="slope > 0.04"),
    Shape(name="RecordedAge", expr="job:age > 180 and g > 0"),
    Shape(name="Absent", expr="absent_over_time(gone[5m])", wait="2m"),
)
RULES = {
    "groups": [
        {
            "name": "shapes",
            "rules": [
                {"record": "slope", "expr": "deriv(g[4m])"},
                {"record": "job:age", "expr": "time() - max by (job) (at)"},
                *(
                    {"alert": one.name, "expr": one.expr, "for": one.wait}
                    | ({"keep_firing_for": one.keep} if one.keep else {})
                    for one in SHAPES
                ),
            ],
        }
    ]
}
PRODUCTION = {
    "g": [10 + min(max(at - 60, 0), 25) - min(max(at - 100, 0), 30) * 0.8 for at in range(SAMPLES)],
    "c_total": [sum(60 if 50 <= one < 90 else 15 for one in range(at)) for at in range(SAMPLES)],
    "at": [EACH_S * (at if not 70 <= at < 100 else 69) for at in range(SAMPLES)],
    "gone": [1 if at < 40 or at > 90 else None for at in range(SAMPLES)],
}
DIVIDED = ("c_total", "at")
"""At speed K there are K times fewer requests at the same rate, and times are K times closer to the origin."""


def states(folder: Path, rules: str, series: dict[str, list[float | None]], each_s: float) -> dict[str, list[int]]:
    """Return the state of every alert at every evaluation, by a test whose expectations are wrong on purpose."""
    folder.mkdir()
    (folder / "rules.yml").write_text(rules)
    times = [format_duration(at * each_s) for at in range(SAMPLES)]
    written = [
        {"series": f'{name}{{job="a"}}', "values": " ".join("_" if one is None else repr(one) for one in values)}
        for name, values in series.items()
    ]
    asked = [{"expr": "ALERTS", "eval_time": at, "exp_samples": [{"labels": "wrong", "value": 1}]} for at in times]
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": format_duration(each_s),
        "tests": [{"interval": format_duration(each_s), "input_series": written, "promql_expr_test": asked}],
    }
    (folder / "test.yml").write_text(json.dumps(test))
    promtool = find_all(["promtool"], cache_folder())["promtool"]
    done = subprocess.run(
        [str(promtool.path), "test", "rules", str(folder / "test.yml")], capture_output=True, text=True, timeout=60
    )
    answers = dict(_GOT.findall(done.stdout + done.stderr))
    assert len(answers) == SAMPLES, (done.stdout + done.stderr)[:500]
    found: dict[str, list[int]] = {one.name: [0] * SAMPLES for one in SHAPES}
    for place, at in enumerate(times):
        for name, state in _ALERT.findall(answers[at]):
            found[name][place] = _STATE[state]
    return found


WALL = {
    name: [one / SPEED if one is not None and name in DIVIDED else one for one in values]
    for name, values in PRODUCTION.items()
}
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    return states(tmp_path_factory.mktemp("promtool") / "original", json.dumps(RULES), dict(PRODUCTION), EACH_S)


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    text = compress_rules(json.dumps(RULES), SPEED)
    return states(tmp_path_factory.mktemp("promtool") / "compressed", text, WALL, EACH_S / SPEED)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.name)
def test_a_compressed_rule_fires_exactly_when_the_original_does(
    production: dict[str, list[int]], drilled: dict[str, list[int]], shape: Shape
) -> None:
    original, compressed = production[shape.name], drilled[shape.name]
    assert {0, 2} <= set(original), "the original must fire, and must not fire all the time"
    assert original[0] == 0
    assert original[-1] == 0
    assert compressed == original


def test_the_oracle_sees_a_number_that_was_forgotten(
    production: dict[str, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress, "analyse", lambda expr, scales: Analysis(scale=NUMBER, powers={}))
    found = states(tmp_path / "forgotten", compress_rules(json.dumps(RULES), SPEED), WALL, EACH_S / SPEED)
    wrong = {name for name, track in found.items() if track != production[name]}
    assert wrong == {
        *("Increase", "IncreaseLeft", "IncreaseOr", "Predict", "Deriv", "SubqueryOffset", "Recorded"),
        *("Age", "AgeInMinutes", "Stamped", "RecordedAge"),
    }
