"""Where the time from a fault to a page went, stage by stage, and what cannot be told."""

import pytest

from tests.evidence.build import START, build, counting, fault, firing, notice, steady, together
from tocsin.harness.evidence.alert_causes import cause_of, named_cause
from tocsin.harness.evidence.detection_stages import RELIEF, detections
from tocsin.harness.evidence.first_changes import EARLIEST, first_change

DOWN = 'TargetDown{job="a", severity="page"}'
LABELS = {"alertname": "TargetDown", "job": "a", "severity": "page"}
RULE = {"name": "TargetDown", "expr": 'up{job="a"} == 0', "for_s": 3, "labels": {"severity": "page"}}
FIRE = {"check": "alerts/fire", "args": {"alert": "TargetDown", "during": "outage", "within": "1m"}}
OUTAGE = fault("outage", "kill", "normal", injected=19.5, effective=20.0, healed=30.0, gone=30.5)
SPEED = 10


def fire(alert, phase):
    return {"check": "alerts/fire", "args": {"alert": alert, "in": phase, "within": "1m"}}


def expecting(*lines, rules=(RULE,)):
    return {
        "alerts": list(rules),
        "scenario": {
            "version": 1,
            "name": "drill",
            "summary": "a test",
            "expect": list(lines) or [FIRE],
            "timeline": [{"phase": "normal", "for": 600}],
        },
    }


def stamp(at):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(START + at, UTC).isoformat()


def held(at, state="active", **more):
    return {"at": at, "fingerprint": "f", "labels": LABELS, "state": state, "receivedAt": START + at, **more}


def played(folder, **more):
    up = {'up{job="a", instance="a:1"}': [*steady(1, 0.2, 20), *steady(0, 20.2, 30), *steady(1, 31.2, 60)]}
    given = {
        "phases": {"normal": 60},
        "series": together(up, firing(DOWN, pending=20.5, start=23.5, end=31.5), firing("Watchdog", start=0.4, end=61)),
        "faults": [OUTAGE],
        "alerts": [held(24.0, updatedAt=stamp(23.6)), held(32.0, state="gone")],
        "notifications": [notice(26, "page", DOWN), notice(35, "page", DOWN, status="resolved")],
        "run": expecting(),
        "speed": SPEED,
    }
    return build(folder, **{**given, **more})


def after(stages):
    """Production seconds of each stage after the first one."""
    return {one.name: one.at and round((one.at - stages[0].at) * SPEED, 3) for one in stages}


def test_every_stage_of_one_alert(tmp_path):
    [found] = detections(played(tmp_path))
    assert (found.alert, found.cause, found.bound_s) == ("TargetDown", "outage", 60)
    assert after(found.onset) == {
        "effective": 0, "sampled": 2, "true": 5, "pending": 5, "firing": 35, "received": 36, "notified": 60,
    }  # fmt: skip
    assert after(found.relief) == {"healed": 0, "sampled": 7, "false": 10, "ended": 10, "left": 15, "notified": 45}
    assert (found.total_s, found.slowest) == (pytest.approx(60), ("pending to firing", pytest.approx(30)))
    assert {one.name: one.resolution_s for one in found.onset} == {
        "effective": 0, "sampled": 10, "true": 10, "pending": 10, "firing": 10, "received": 0, "notified": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "way", "stage", "value"),
    [
        ({"alerts": [held(24.0), held(32.0, state="gone")]}, "onset", "received", 40),  # seen by a poll, half a second
        ({"alerts": []}, "onset", "received", None),
        ({"alerts": []}, "relief", "left", None),
        ({"alerts": [held(10.0, updatedAt=stamp(9)), held(24.0)]}, "onset", "received", 40),  # an older onset's row
        ({"notifications": []}, "onset", "notified", None),
        (
            {"notifications": [notice(26, "page", DOWN, answered=500), notice(29, "page", DOWN)]},
            "onset",
            "notified",
            90,
        ),
        ({"notifications": [notice(26, "page", 'TargetDown{job="b"}')]}, "onset", "notified", None),
        ({"notifications": [notice(33, "page", DOWN)]}, "onset", "notified", None),  # after its end: of another onset
        ({"faults": []}, "onset", "effective", None),
        ({"run": expecting(rules=[{**RULE, "keep_firing_for_s": 60}])}, "relief", "false", None),
    ],
)
def test_one_stage(tmp_path, change, way, stage, value):
    [found] = detections(played(tmp_path, **change))
    times = {one.name: one for one in getattr(found, way)}
    at = times[stage].at
    assert value is None and at is None or value is not None and (at - START - 20) * SPEED == pytest.approx(value)


def test_an_alert_that_was_expected_and_never_fired(tmp_path):
    series = {'up{job="a", instance="a:1"}': steady(1, 0.2, 60), **firing(DOWN, pending=22.5, start=None, end=25.5)}
    [found] = detections(played(tmp_path, series=series, alerts=[], notifications=[]))
    assert after(found.onset) == {
        "effective": 0, "sampled": 2, "true": 25, "pending": 25, "firing": None, "received": None, "notified": None,
    }  # fmt: skip
    assert found.onset[1].note == EARLIEST
    assert found.total_s is None
    assert [one.name for one in found.relief] == list(RELIEF)


def test_an_alert_that_still_fires_has_no_end(tmp_path):
    series = {'up{job="a", instance="a:1"}': steady(1, 0.2, 60), **firing(DOWN, start=23.5, end=61)}
    [found] = detections(played(tmp_path, series=series, notifications=[]))
    assert found.onset[3].at is None  # it fired at once, so it never waited
    assert [one.at for one in found.relief[2:]] == [None] * 4


@pytest.mark.parametrize(
    ("lines", "phases", "payload", "cause"),
    [
        ([FIRE], {"normal": 60}, {}, "outage"),
        ([fire("TargetDown", "late")], {"normal": 10, "late": 50}, {}, "late"),
        ([fire("Other", "normal")], {"normal": 60}, {}, "outage"),
        ([fire("Other", "normal")], {"normal": 20.2, "late": 39.8}, {"shift": 1}, "late or outage"),  # nobody can tell
        ([fire("Other", "normal")], {"normal": 22, "late": 38}, {"shift": 1}, "outage"),
    ],
)
def test_what_an_alert_is_about(tmp_path, lines, phases, payload, cause):
    evidence = played(tmp_path, phases=phases, run=expecting(*lines))
    evidence.run["phases"][-1]["payload"] = payload
    assert cause_of(evidence, evidence.alerts.episodes("TargetDown")[0]).name == cause


TWICE = together(firing(DOWN, pending=20.5, start=23.5, end=31.5), firing(DOWN, pending=44, start=47, end=60))


@pytest.mark.parametrize(
    ("second", "causes"),
    [
        ({"effective": 43.0, "healed": 58.0, "gone": 59.0}, ["outage", "again"]),
        ({"effective": 10.0, "healed": 58.0, "gone": 59.0}, ["outage", "again"]),  # of the first, both were active
        ({"effective": 10.0, "healed": 11.5, "gone": 12.0}, ["outage", "outage"]),  # of the second, neither was
        ({}, ["outage", "outage"]),
    ],
)
def test_an_alert_that_is_expected_of_two_faults(tmp_path, second, causes):
    again = fault("again", "kill", "normal", injected=9.5, **second)
    lines = [FIRE, {**FIRE, "args": {**FIRE["args"], "during": "again"}}]
    series = {'up{job="a", instance="a:1"}': steady(1, 0.2, 60), **TWICE}
    evidence = played(tmp_path, faults=[OUTAGE, again], run=expecting(*lines), series=series)
    assert [one.cause for one in detections(evidence)] == causes


def test_what_began_last_when_nothing_is_active_any_more(tmp_path):
    past = [fault(name, "kill", "normal", injected=at, effective=at, healed=at + 1, gone=at + 1) for name, at in
            (("one", 5.0), ("two", 10.0))]  # fmt: skip
    evidence = played(tmp_path, faults=past, run=expecting(fire("Other", "normal")))
    assert cause_of(evidence, evidence.alerts.episodes("TargetDown")[0]).name == "two"


def test_a_cause_that_never_came(tmp_path):
    evidence = played(tmp_path, faults=[fault("outage", "kill", "normal", injected=19.5)])
    assert named_cause(evidence, evidence.expected_alerts[0]).begun is None


def test_a_window_longer_than_the_history(tmp_path):
    expr = "sum(rate(bad[1h])) / sum(rate(all[1h])) > 0.1"
    [found] = detections(played(tmp_path, run=expecting(rules=[{**RULE, "expr": expr}])))
    assert (found.short_history.window_s, found.short_history.history_s) == (3600, pytest.approx(200))
    assert found.short_history.optimistic_s == pytest.approx(360 - 0.1 * 200 / 0.9)


@pytest.mark.parametrize(("shares", "warm_s"), [((0.3, None), 1200), ((0.3, 0.5), 720), ((None, None), 360)])
def test_of_several_causes_the_largest_share_that_is_said(tmp_path, shares, warm_s):
    both = [
        fault(f"f{at}", "raises", "normal", params={} if share is None else {"share": share}, injected=20, effective=20)
        for at, share in enumerate(shares)
    ]
    expr = "sum(rate(bad[1h])) / sum(rate(all[1h])) > 0.1"
    run = expecting(fire("Other", "normal"), rules=[{**RULE, "expr": expr}])
    found = detections(played(tmp_path, faults=both, run=run))[0]
    assert (found.cause, found.short_history.warm_s) == ("f0 or f1", pytest.approx(warm_s))


def test_the_window_of_a_recorded_metric(tmp_path):
    path = tmp_path / "config/original/prometheus/rules.yml"
    path.parent.mkdir(parents=True)
    path.write_text("groups: [{name: g, rules: [{record: 'a:ratio', expr: 'rate(bad[1h]) / rate(all[1h])'}]}]")
    [found] = detections(played(tmp_path, run=expecting(rules=[{**RULE, "expr": "a:ratio > 0.1"}])))
    assert (found.short_history.window_s, found.short_history.exact) == (3600, True)


@pytest.mark.parametrize(
    ("expr", "labels", "at", "note"),
    [
        ("still == 1", {}, 25, ""),
        ("moving > 1", {}, 21, EARLIEST),
        ("rate(moving[1m]) / rate(still[1m]) > 1", {}, 25, ""),
        ('still{job="b"} == 1', {}, None, ""),
        ('still{job=~"a|b"} == 1', {}, 25, ""),
        ('still{job!="a"} == 1', {}, None, ""),
        ("still == 1", {"job": "b"}, None, ""),  # another series than the alert's
        ("absent(still)", {}, 25, ""),
        ("missing > 1", {}, None, ""),
        ("not PromQL (", {}, None, ""),
    ],
)
def test_the_first_bad_sample(tmp_path, expr, labels, at, note):
    series = {'still{job="a"}': [*steady(0, 0, 24), *steady(1, 25, 40)], 'moving{job="a"}': counting(3, 0, 40)}
    metrics = build(tmp_path, series=series).metrics
    found, told = first_change(metrics, expr, labels, START + 20.5, START + 30)
    assert (found and found - START, told) == (at, note)
