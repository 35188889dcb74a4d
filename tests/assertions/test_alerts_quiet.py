import pytest

from tests.assertions.asking import KINDS, alive, ask, says
from tests.evidence.build import SIGNALS, fault, firing, together

ERRORS = 'HighErrorRate{job="a"}'
DRIFT3, DRIFT5 = 'FeatureDrift{feature="f3"}', 'FeatureDrift{feature="f5"}'
FIRE = ("alerts/fire", {"alert": "FeatureDrift", "labels": {"feature": "f3"}, "in": "trouble", "within": "20s"})
RESOLVE = ("alerts/resolve", {"alert": "FeatureDrift", "in": "recovery", "within": "10s"})
ONLY_DRIFT = "Only what is expected fired: FeatureDrift (180 evaluations)."
PHASES = {"baseline": 60, "trouble": 60, "recovery": 60}


def quiet(tmp_path, series, *, expect=(), args=None, speed=60.0, until=181.0, **more):
    """At speed 60 the ten minutes that an alert may linger are 10 wall seconds."""
    timeline = [{"phase": name, "for": seconds * speed} for name, seconds in PHASES.items()]
    scenario = {
        "version": 1,
        "name": "drill",
        "summary": "a test",
        "timeline": timeline,
        "expect": [{"check": check, "args": given} for check, given in (*expect, ("alerts/quiet", args or {}))],
    }
    run = {"kinds": KINDS, "scenario": scenario, **more.pop("run", {})}
    series = alive(series, until=until)
    return ask("alerts/quiet", tmp_path, args or {}, series=series, phases=PHASES, run=run, speed=speed, **more)


@pytest.mark.parametrize(
    ("series", "answer", "words"),
    [
        ({}, "pass", "No alert fired (180 evaluations)."),
        (firing(ERRORS, pending=20.4, start=None, end=30.4), "pass", "No alert fired (180"),
        (firing(ERRORS, start=20, end=30), "fail", ["1 alert fired", ERRORS, "from 1200 s (in baseline) for 540 s"]),
        (
            firing(ERRORS, start=20, end=30) | firing(DRIFT5, start=70, end=71),
            "fail",
            ["2 alerts", DRIFT5, "in trouble"],
        ),
    ],
)
def test_nothing_expected(tmp_path, series, answer, words):
    says(quiet(tmp_path, series), answer, words)


@pytest.mark.parametrize(
    ("expect", "series", "answer", "words"),
    [
        (
            [FIRE],
            firing(DRIFT3, start=70, end=125),
            "pass",
            ONLY_DRIFT,
        ),
        ([FIRE], firing(DRIFT5, start=70, end=125), "fail", DRIFT5),  # labels differ
        ([FIRE], firing(DRIFT3, start=55, end=125), "fail", "from 3300 s (in baseline) for 240 s"),  # before its cause
        (
            [FIRE],
            firing(DRIFT3, start=70, end=131),
            "pass",
            ONLY_DRIFT,
        ),  # lingers ten minutes
        ([FIRE], firing(DRIFT3, start=70, end=132), "fail", "from 7860 s (in recovery) for 0 s"),
        (
            [FIRE, ("alerts/resolve", {**RESOLVE[1], "within": "30m"})],
            firing(DRIFT3, start=70, end=151),
            "pass",
            ONLY_DRIFT,
        ),
        (
            [FIRE, ("alerts/resolve", {**RESOLVE[1], "within": "5m"})],
            firing(DRIFT3, start=70, end=127),
            "fail",
            "from 7560 s",
        ),
        (
            [FIRE, ("alerts/resolve", {**RESOLVE[1], "within": "5m", "labels": {"feature": "f7"}})],  # of another one
            firing(DRIFT3, start=70, end=130),
            "pass",
            ONLY_DRIFT,
        ),
        ([FIRE], together(firing(DRIFT3, start=70, end=80), firing(DRIFT3, start=150, end=160)), "fail", "from 9000 s"),
        ([FIRE], {}, "pass", "No alert fired (180"),  # that it did not fire is for alerts/fire to say
    ],
)
def test_what_the_drill_expects(tmp_path, expect, series, answer, words):
    says(quiet(tmp_path, series, expect=expect), answer, words)


@pytest.mark.parametrize(
    ("end", "answer"),
    [(105, "pass"), (111, "pass"), (113, "fail")],  # gone at 101; ten minutes later, and later than that
)
def test_an_alert_of_a_fault_is_expected_from_injection_on(tmp_path, end, answer):
    outage = fault("outage", "raises", "trouble", injected=62, effective=64, healed=100, gone=101)
    fire = ("alerts/fire", {"alert": "HighErrorRate", "during": "outage", "within": "5m"})
    resolve = ("alerts/resolve", {"alert": "HighErrorRate", "during": "outage", "within": "10m"})
    for name, expect in (("linger", [fire]), ("bound", [fire, resolve])):
        found = quiet(tmp_path / name, firing(ERRORS, start=63, end=end), expect=expect, faults=[outage])
        says(found, answer, "")


@pytest.mark.parametrize(
    ("may", "answer"),
    [
        (["HighErrorRate"], "pass"),
        (["Other"], "fail"),
        ([{"alert": "HighErrorRate", "labels": {"job": "a"}}], "pass"),
        ([{"alert": "HighErrorRate", "labels": {"job": "b"}}], "fail"),
        ([{"alert": "HighErrorRate", "in": "trouble"}], "pass"),
        ([{"alert": "HighErrorRate", "in": "recovery"}], "fail"),
    ],
)
def test_may(tmp_path, may, answer):
    says(quiet(tmp_path, firing(ERRORS, start=70, end=80), args={"may": may}), answer, "")


@pytest.mark.parametrize(
    ("by", "until", "answer"),
    [("silencedBy", 90, "pass"), ("inhibitedBy", 90, "pass"), ("silencedBy", 75, "fail"), ("other", 90, "fail")],
)
def test_what_nobody_is_told_is_quiet(tmp_path, by, until, answer):
    labels = {"alertname": "HighErrorRate", "job": "a"}
    rows = [
        {"at": 69, "labels": labels, "fingerprint": "x", by: ["one"]},
        {"at": until, "labels": labels, "fingerprint": "x", by: []},
    ]
    says(quiet(tmp_path, firing(ERRORS, start=70, end=80), alerts=rows), answer, "")


def test_what_was_held_back_is_named_apart(tmp_path):
    rows = [{"at": 69, "labels": {"alertname": "HighErrorRate", "job": "a"}, "fingerprint": "x", "inhibitedBy": ["o"]}]
    errors, drift = firing(ERRORS, start=70, end=80), firing(DRIFT3, start=70, end=125)
    words = "Only what was silenced or inhibited fired: HighErrorRate (180 evaluations)."
    says(quiet(tmp_path / "held", errors, alerts=rows), "pass", words)
    words = "Only what is expected fired: FeatureDrift; silenced or inhibited: HighErrorRate (180 evaluations)."
    says(quiet(tmp_path / "both", errors | drift, alerts=rows, expect=[FIRE]), "pass", words)
    words = "Only what is expected or allowed fired: HighErrorRate (180 evaluations)."
    says(quiet(tmp_path / "may", errors, args={"may": ["HighErrorRate"]}), "pass", words)


@pytest.mark.parametrize(
    ("failures", "series", "answer", "words"),
    [
        ([0, 0, 0], {}, "pass", "No alert fired"),
        ([4, 4, 4], {}, "pass", "No alert fired"),  # before play
        ([0, 2, 2], {}, "unknown", "could not evaluate rules of the group service (2 times), so their silence"),
        ([5, 5, 1], {}, "unknown", "service (1 times)"),  # Prometheus began anew
        ([0, 2, 2], firing(ERRORS, start=20, end=30), "fail", ERRORS),
    ],
)
def test_rules_that_cannot_be_evaluated_are_not_quiet(tmp_path, failures, series, answer, words):
    selector = 'prometheus_rule_evaluation_failures_total{rule_group="/etc/rules/service.yml;service"}'
    counted = {selector: list(zip((-5, 50, 100), failures, strict=True))}
    says(quiet(tmp_path, series | counted), answer, words)


def test_without_the_watchdog_silence_means_nothing(tmp_path):
    says(quiet(tmp_path, firing(ERRORS, start=20, end=30), until=0), "unknown", "no sample of the Watchdog")
    none = {"run": {"signals": {**SIGNALS, "watchdog": None}}}
    says(quiet(tmp_path / "undeclared", {}, **none), "unknown", "Watchdog")


@pytest.mark.parametrize(
    ("series", "answer"),
    [
        (firing(ERRORS, pending=178, start=182, end=184), "fail"),  # its cause lies in play
        (firing(ERRORS, start=182, end=184), "pass"),  # the traffic had stopped
    ],
)
def test_settle_counts_for_what_began_in_play(tmp_path, series, answer):
    found = quiet(tmp_path, series, until=186, facts=[("settled", 185, {})])
    says(found, answer, "")


def test_a_phase_of_its_own(tmp_path):
    series = firing(ERRORS, start=20, end=30)
    says(quiet(tmp_path, series, args={"in": "trouble"}), "pass", "No alert fired (60 evaluations).")
    says(quiet(tmp_path / "there", series, args={"in": "baseline"}), "fail", ERRORS)


@pytest.mark.parametrize(
    ("scope", "answer"),
    [
        (["HighErrorRate"], "fail"),
        (["FeatureDrift"], "pass"),
        ([{"labels": {"job": "a"}}], "fail"),
        ([{"labels": {"job": "b"}}], "pass"),
        ([{"alert": "HighErrorRate", "labels": {"job": "b"}}], "pass"),
        (["FeatureDrift", {"labels": {"job": "a"}}], "fail"),
    ],
)
def test_scope_limits_the_closed_world(tmp_path, scope, answer):
    found = quiet(tmp_path, firing(ERRORS, start=20, end=30), args={"scope": scope})
    says(found, answer, "No alert in scope fired (180" if answer == "pass" else ERRORS)
