import pytest
from pydantic import ValidationError

from tests.assertions.asking import CHECKS, ask, says
from tests.evidence.build import START, build, fault
from tests.evidence.panelled import panel, query, series, write_board
from tocsin.assertions.dashboards_alive import Alive

FLAT = [0.0] * 121
JUMP = [0.0] * 60 + [1.0] * 61
NOISE = [float(5 + at % 7) for at in range(121)]
CLIMB = [float(at) for at in range(121)]
GONE = [1.0] * 30 + [None] * 91
LATE = [None] * 60 + [1.0] * 61
SPIKES = [9.0 if at in (70, 80, 90) else float(at % 2) for at in range(121)]
MOVES = {"moves": [{"panel": "Errors", "in": "trouble"}]}


def put(tmp_path, *panels, **more):
    write_board(tmp_path / "run", "service", *panels, **more)
    return tmp_path


def drawn(tmp_path, values, **more):
    return put(tmp_path, panel("Errors", query(series(values), **more)))


@pytest.mark.parametrize(
    ("queries", "args", "answer", "words"),
    [
        ([query(series(FLAT))], {}, "pass", "All 1 queries of 1 panels have data in baseline."),
        ([query()], {}, "fail", "service/Errors has no data in baseline: up"),
        ([query(series(GONE))], {}, "fail", "service/Errors has no data in baseline"),
        ([query(series(LATE))], {}, "fail", "service/Errors has no data in baseline"),
        ([query(series(LATE))], {"in": "trouble"}, "pass", "have data in trouble"),
        ([query(series(FLAT)), query(ref="B", text="gone")], {}, "fail", "no data in baseline: gone"),
        ([query(series(GONE), series(FLAT, "b"))], {}, "pass", "have data"),
        ([query()], {"may_be_empty": ["Errors"]}, "pass", "but those that may be empty"),
        ([query()], {"may_be_empty": [{"panel": "Errors", "dashboard": "other"}]}, "fail", "no data"),
        ([query()], {"may_be_empty": [{"panel": "Errors", "dashboard": "service"}]}, "pass", "have data"),
        ([query(failed="refused", says="parse error: x.")], {"may_be_empty": ["Errors"]}, "fail",
         "The query A of service/Errors is refused: parse error: x."),
        ([query(series(FLAT), legend="at {{name}}")], {}, "pass", "have data"),
        ([query(series(FLAT), legend="{{job}} {{ queue }}")], {}, "fail",
         "No series of service/Errors has the label job, queue that its legend shows"),
        ([query(failed="empty", says="$gpu has no value")], {}, "fail", "has nothing to ask for: $gpu"),
        ([query(failed="empty", says="$gpu has no value")], {"may_be_empty": ["Errors"]}, "pass", "have data"),
        ([query(failed="unanswered", says="Connection refused")], {}, "unknown", "service/Errors was not answered"),
        ([query(failed="unasked", says="no such source")], {}, "unknown", "could not be asked: no such source"),
        ([], {}, "unknown", "asks anything"),
        ([query()], {"dashboards": ["other"]}, "unknown", "asks anything"),
    ],
)  # fmt: skip
def test_data_in_health(tmp_path, queries, args, answer, words):
    says(ask("dashboards/alive", put(tmp_path, panel("Errors", *queries)), args), answer, words)


@pytest.mark.parametrize(
    ("values", "answer", "words"),
    [
        (JUMP, "pass", "service/Errors moved in trouble: 100% of the values of a lie outside 0..0"),
        ([-value for value in JUMP], "pass", "moved in trouble"),
        (FLAT, "fail", "service/Errors did not move in trouble: 0% of the values of a lie outside 0..0"),
        (NOISE, "fail", "did not move in trouble: 0%"),
        (CLIMB, "fail", "did not move in trouble: 2%"),  # it only went on as it did
        (SPIKES, "fail", "50% are needed"),
        ([value if at < 60 else None for at, value in enumerate(FLAT)], "fail", "did not move"),
    ],
)
def test_movement(tmp_path, values, answer, words):
    says(ask("dashboards/alive", drawn(tmp_path, values), MOVES), answer, words)


def test_a_series_that_health_did_not_have(tmp_path):
    made = put(tmp_path, panel("Errors", query(series(FLAT), series(LATE, "HighErrorRate"))))
    says(ask("dashboards/alive", made, MOVES), "pass", "a value of HighErrorRate, which was not there in health")


@pytest.mark.parametrize(
    ("text", "window", "answer", "words"),
    [
        ("up", "0s", "pass", "moved"),
        ("rate(x[5s])", "0s", "pass", "moved"),
        ("rate(x[20s])", "0s", "unknown", "may have moved in trouble by chance"),
        ("up", "20s", "unknown", "too few values to tell"),
        ("rate(x[2m])", "0s", "unknown", "health was shorter than its window"),
    ],
)
def test_values_that_share_a_window_count_once(tmp_path, text, window, answer, words):
    made = drawn(tmp_path, JUMP, text=text)
    says(ask("dashboards/alive", made, {"moves": [{**MOVES["moves"][0], "window": window}]}), answer, words)


def test_movement_under_a_fault_and_the_share_asked(tmp_path):
    outage = fault("outage", "kill", "trouble", injected=61, effective=62, healed=100, gone=101)
    args = {"moves": [{"panel": "Errors", "dashboard": "service", "during": "outage"}]}
    made = drawn(tmp_path, [0.0] * 75 + [1.0] * 46)
    says(ask("dashboards/alive", made, args, faults=[outage]), "pass", "moved in outage: 65% of")
    args["moves"][0]["share"] = 0.7
    says(ask("dashboards/alive", drawn(tmp_path / "b", [0.0] * 75 + [1.0] * 46), args, faults=[outage]), "fail", "65%")


def test_nothing_recorded_is_unknown(tmp_path):
    says(ask("dashboards/alive", tmp_path, {}), "unknown", "No panel was recorded")


def test_a_torn_file_is_unknown_and_hides_no_failure(tmp_path):
    made = put(tmp_path, panel("Errors", query(series(FLAT))))
    (tmp_path / "run" / "panels" / "other.json").write_text("{")
    says(ask("dashboards/alive", made, {}), "unknown", "other.json cannot be read")


@pytest.mark.parametrize(
    ("boards", "move", "words"),
    [
        (("service",), {"panel": "Error"}, "The panel Error is in no dashboard"),
        (("service", "other"), {"panel": "Errors"}, "The panel Errors is in other, service: name one"),
        (("service", "other"), {"panel": "Errors", "dashboard": "gone"}, "in no dashboard"),
    ],
)
def test_a_panel_that_nobody_finds(tmp_path, boards, move, words):
    for name in boards:
        write_board(tmp_path / "run", name, panel("Errors", query(series(JUMP))))
    says(ask("dashboards/alive", tmp_path, {"moves": [{**move, "in": "trouble"}]}), "unknown", words)


def test_a_phase_with_too_few_points_is_unknown(tmp_path):
    made = put(tmp_path, panel("Errors", query(series([1.0] * 3))), count=3, step_s=60.0)
    says(ask("dashboards/alive", made, {}), "unknown", "baseline is too short")


@pytest.mark.parametrize(
    "args",
    [
        {"during": "outage"},
        {"moves": [{"panel": "Errors"}]},
        {"moves": [{"panel": "Errors", "in": "a", "during": "b"}]},
        {"moves": [{"panel": "Errors", "in": "a", "share": 0}]},
        {"alive": True},
    ],
)
def test_arguments_that_make_no_sense(args):
    with pytest.raises(ValidationError):
        Alive.model_validate(args)


def test_the_window_reaches_from_health_to_the_last_move(tmp_path):
    evidence = build(tmp_path / "run", phases={"baseline": 60, "trouble": 60, "recovery": 30})
    moves = [{"panel": "Errors", "in": "trouble"}, {"panel": "Rate", "in": "recovery"}]
    window = CHECKS["dashboards/alive"].window(evidence, Alive.model_validate({"in": "trouble", "moves": moves}))
    assert (window.start - START, window.end - START) == (60, 150)
    window = CHECKS["dashboards/alive"].window(evidence, Alive.model_validate({"moves": moves[:1]}))
    assert (window.start - START, window.end - START) == (0, 120)
