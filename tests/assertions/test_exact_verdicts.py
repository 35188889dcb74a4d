"""Every figure, word and window of a verdict, at a speed of 10: whatever is divided or rounded wrongly shows."""

import pytest

from tests.assertions.asking import CHECKS, KINDS, alive
from tests.evidence.build import START, build, fault, firing, notice, steady, together

HIGH = 'High{severity="page"}'
OUTAGE = fault("outage", "raises", "trouble", injected=61.2, effective=62.1, healed=80.3, gone=81.4)
FIRES = firing(HIGH, pending=63.4, start=65.43217, end=86.43217)
LOW = firing("Low", start=64.11111, end=90.11111)


def row(at, **more):
    return {"at": at, "labels": {"alertname": "High", "severity": "page"}, "fingerprint": HIGH, **more}


HELD = [
    {"at": 64.2, "labels": {"alertname": "Low"}, "fingerprint": "low"},
    row(65.8, inhibitedBy=["low"]),
    row(78.2, inhibitedBy=[]),
]
SILENCED = [row(65.8, silencedBy=["s"]), row(78.2, silencedBy=[])]
PAGES = [notice(at, "page", HIGH) for at in (66.98765, 70.12345, 75.5)]
END = notice(88.76543, "page", HIGH, status="resolved")
BEATS = [notice(at, "watchdog", "Watchdog") for at in (1, 21, 41, 61, 101.5, 119)]
ROWS = {
    "fires": (
        "alerts/fire",
        {"alert": "High", "during": "outage", "within": 60, "delivered_to": "page"},
        {"series": FIRES, "notifications": PAGES},
        "pass",
        "High firing 33.3 s after outage took effect, delivered to page at 48.9 s (bound 60 s).",
        {"firing_s": 33.322, "bound_s": 60.0, "fixed_s": {}, "delivered_s": 48.877},
        (61.2, 66.988),
    ),
    "fires late": (
        "alerts/fire",
        {"alert": "High", "during": "outage", "within": 20},
        {"series": FIRES},
        "fail",
        "High firing only 33.3 s after outage took effect (bound 20 s).",
        {},
        (61.2, 64.1),
    ),
    "is delivered late": (
        "alerts/fire",
        {"alert": "High", "in": "trouble", "within": 60, "delivered_to": "page"},
        {"series": FIRES, "notifications": PAGES},
        "fail",
        "High firing 54.3 s after trouble began, delivered to page only at 69.9 s (bound 60 s).",
        {"firing_s": 54.322, "bound_s": 60.0, "fixed_s": {}, "delivered_s": 69.877},
        (60.0, 66.0),
    ),
    "waits": (
        "alerts/fire",
        {"alert": "High", "in": "trouble", "within": 50},
        {"series": firing(HIGH, pending=63.4, start=None, end=90)},
        "fail",
        "High not firing 50 s after trouble began (bound 50 s): pending from 34 s on, never firing.",
        {},
        (60.0, 65.0),
    ),
    "ends": (
        "alerts/resolve",
        {"alert": "High", "during": "outage", "within": 90, "delivered_to": "page"},
        {"series": FIRES, "notifications": [*PAGES, END]},
        "pass",
        "High ended 50.3 s after outage was gone (bound 90 s); resolved notice to page 23.3 s later (due within 50 s).",
        {"fixed_s": {}, "ended_s": 50.322, "bound_s": 90.0, "episodes": 1, "notice_s": 23.333},
        (81.4, 90.4),
    ),
    "ends late": (
        "alerts/resolve",
        {"alert": "High", "during": "outage", "within": 40},
        {"series": FIRES},
        "fail",
        "High ended only 50.3 s after outage was gone (bound 40 s).",
        {"bound_s": 40.0, "fixed_s": {}},
        (81.4, 85.4),
    ),
    "goes on": (
        "alerts/resolve",
        {"alert": "High", "during": "outage", "within": 40},
        {"series": firing(HIGH, start=65.4, end=140)},
        "fail",
        "High still firing when last evaluated, 580 s after outage was gone (bound 40 s).",
        {"bound_s": 40.0, "fixed_s": {}},
        (81.4, 85.4),
    ),
    "is told late": (
        "alerts/resolve",
        {"alert": "High", "during": "outage", "within": 90, "delivered_to": "page"},
        {"series": FIRES, "notifications": [*PAGES, notice(97.7, "page", HIGH, status="resolved")]},
        "fail",
        "High ended 50.3 s after outage was gone (bound 90 s); resolved notice to page only 112.7 s later (due within 50 s).",
        {"fixed_s": {}, "ended_s": 50.322, "bound_s": 90.0, "episodes": 1, "notice_s": 112.678},
        (81.4, 97.7),
    ),
    "pages thrice": (
        "alerts/once",
        {"alert": "High", "in": "trouble"},
        {"series": FIRES, "notifications": PAGES},
        "fail",
        "High paged more than once: page 3 times, at 669.9, 701.2, 755 s of play.",
        {"most": 3, "groups": 1, "episodes": 1},
        (60.0, 120.0),
    ),
    "pages at most thrice": (
        "alerts/once",
        {"alert": "High", "in": "trouble", "at_most": 3},
        {"series": FIRES, "notifications": PAGES},
        "pass",
        "High paged at most 3 times per group (page).",
        {"most": 3, "groups": 1, "episodes": 1},
        (60.0, 120.0),
    ),
    "cause first": (
        "alerts/order",
        {"first": "Low", "then": "High"},
        {"series": together(FIRES, LOW)},
        "pass",
        "Low fired 13.2 s before High.",
        {"after_s": 13.211, "tolerance_s": 10.0},
        (0.0, 120.0),
    ),
    "cause last": (
        "alerts/order",
        {"first": "High", "then": "Low"},
        {"series": together(FIRES, LOW)},
        "fail",
        "Low fired 13.2 s before High.",
        {"after_s": -13.211, "tolerance_s": 10.0},
        (0.0, 120.0),
    ),
    "nothing expects it": (
        "alerts/quiet",
        {},
        {"series": together(FIRES, LOW)},
        "fail",
        '2 alerts fired that nothing expects: Low from 641.1 s (in trouble) for 250 s; High{severity="page"} from 654.3 s (in trouble) for 200 s.',
        {"unexpected": 2, "expected": 0},
        (0.0, 120.0),
    ),
    "may fire": (
        "alerts/quiet",
        {"may": ["Low", {"alert": "High", "in": "trouble"}]},
        {"series": together(FIRES, LOW)},
        "pass",
        "Only what is expected or allowed fired: High, Low (120 evaluations).",
        {"expected": 2, "evaluations": 120},
        (0.0, 120.0),
    ),
    "rings": (
        "alerts/deadman",
        {"during": "outage", "after": 250, "within": 300},
        {"notifications": BEATS},
        "pass",
        "A dead man's switch at watchdog that waits 250 s would have rung 239 s after outage took effect (bound 300 s); the next beat came 394 s after outage took effect.",
        {"rings_s": 239.0, "bound_s": 300.0},
        (61.2, 92.1),
    ),
    "grouped": (
        "alerts/grouped",
        {"alerts": ["High", "Low"], "at_most": 2},
        {
            "series": together(FIRES, LOW),
            "notifications": [notice(66.5, "page", "Low"), notice(67.5, "page", "Low", HIGH)],
        },
        "pass",
        "2 alerts arrived in 2 notices of one group at page.",
        {"notices": 2},
        (0.0, 120.0),
    ),
    "grouped late": (
        "alerts/grouped",
        {"alerts": ["High", "Low"], "in": "trouble"},
        {
            "series": together(FIRES, LOW),
            "notifications": [notice(66.5, "page", "Low"), notice(67.5, "page", "Low", HIGH)],
        },
        "fail",
        "2 alerts took 2 notices, at most 1: High came later.",
        {"notices": 2},
        (60.0, 120.0),
    ),
    "inhibited": (
        "alerts/inhibited",
        {"alert": "High", "by": "Low", "in": "trouble"},
        {"series": together(FIRES, LOW), "alerts": HELD, "notifications": [notice(82.5, "page", HIGH)]},
        "pass",
        "High was inhibited by Low for 127.7 s and nobody was told; 1 notice while it was not.",
        {"held_s": 127.678, "free_s": 82.322},
        (60.0, 120.0),
    ),
    "silenced": (
        "alerts/muted",
        {"alert": "High", "in": "trouble"},
        {"series": FIRES, "alerts": SILENCED},
        "pass",
        "High was silenced for 127.7 s and nobody was told.",
        {"held_s": 127.678},
        (60.0, 120.0),
    ),
    "drifts": (
        "drift/rises",
        {"feature": "f1", "during": "outage", "within": 60},
        {"series": {'drift_detected{feature="f1"}': [*steady(0, 0.2, 65), *steady(1, 65.54321, 100)]}},
        "pass",
        "Drift of f1 detected 34.4 s after outage took effect (bound 60 s).",
        {"detected_s": 34.432, "bound_s": 60.0, "fixed_s": {}},
        (61.2, 65.543),
    ),
    "drifts where it should not": (
        "drift/flat",
        {"except": ["f2"], "in": "trouble"},
        {
            "series": {
                'drift_detected{feature="f1"}': [*steady(0, 0.2, 65), *steady(1, 65.54321, 120)],
                'drift_detected{feature="f3"}': steady(0, 0.2, 120),
            }
        },
        "fail",
        "Drift was detected where none was sent: f1 at 655.4 s.",
        {"features": 2},
        (60.0, 120.0),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_verdict_to_the_last_figure(tmp_path, name):
    check, args, more, answer, reason, figures, window = ROWS[name]
    run = {"phases": {"baseline": 60, "trouble": 60}, "speed": 10, "faults": [OUTAGE], "run": {"kinds": KINDS}}
    evidence = build(tmp_path / "run", **{**run, **more, "series": alive(more.get("series", {}))})
    parsed = CHECKS[check].args.model_validate(args)
    finding, looked = CHECKS[check].judge(evidence, parsed), CHECKS[check].window(evidence, parsed)
    assert (finding.answer, finding.reason, finding.figures) == (answer, reason, figures)
    assert (round(looked.start - START, 3), round(looked.end - START, 3)) == window
