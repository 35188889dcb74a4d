"""Every figure, word and window of a verdict, at a speed of 10: whatever is divided or rounded wrongly shows."""

import json

import pytest

from tests.assertions.asking import CHECKS, KINDS, alive
from tests.evidence.build import START, asked, build, fault, firing, notice, steady, together

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


def many(count, start, end, **more):
    return [asked(start + (end - start) * at / count, **more) for at in range(count)]


SERVED = [
    *many(400, 1, 60, took_s=0.02), *many(20, 61.5, 80, status=500, took_s=0.3), *many(30, 90, 118, status=503),
    *many(7, 100, 110, outcome="unknown", took_s=2.0), *many(5, 20, 30, kind="nan", status=422), *many(3, 5, 9, outcome="dropped"),  # noqa: E501
    *many(4, 20, 30, kind="broken_json", status=422),
]  # fmt: skip
COUNTS = {"success": 400, "error": 51, "rejected": 4}
COUNTED = {
    f'predictions_total{{job="ml-inference", status="{status}"}}': [(0.5, 0), (61.0, count // 2), (125.0, count)]
    for status, count in COUNTS.items()
}
DOCUMENTS = [(f"r-1-{at}", 200) for at in range(395)] + [(f"r-1-{at}", 500) for at in range(400, 420)]
DOCUMENTS += [("r-1-420", 200), ("r-1-0", 200), ("r-1-999", 200)]

TRAFFIC = {"rate_per_s": 10.0, "arrivals": "poisson"}
PLANNED = [
    {"name": "baseline", "start_s": 0, "end_s": 600, "traffic": TRAFFIC, "payload": {}},
    {"name": "trouble", "start_s": 600, "end_s": 1200, "traffic": TRAFFIC, "payload": {}},
]
WORKED = [("traffic_done", 121.0, {"worker": 1, "cpu_s": 100.0, "wall_s": 121.0})]
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
        "High ended 50.3 s after outage was gone (bound 90 s); resolved notice to page only 112.7 s later (due within 50 s).",  # noqa: E501
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
        '2 alerts fired that nothing expects: Low from 641.1 s (in trouble) for 250 s; High{severity="page"} from 654.3 s (in trouble) for 200 s.',  # noqa: E501
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
        "A dead man's switch at watchdog that waits 250 s would have rung 239 s after outage took effect (bound 300 s); the next beat came 394 s after outage took effect.",  # noqa: E501
        {"rings_s": 239.0, "bound_s": 300.0},
        (61.2, 92.1),
    ),
    "rings for nothing": (
        "alerts/deadman",
        {"during": "outage", "after": 250, "within": 300},
        {"notifications": [notice(at, "watchdog", "Watchdog") for at in (1, 31, 61, 90)]},
        "fail",
        "A dead man's switch at watchdog that waits 250 s would have rung 361 s before outage took effect, for nothing.",  # noqa: E501
        {"rings": 2},
        (61.2, 92.1),
    ),
    "never rings": (
        "alerts/deadman",
        {"during": "outage", "after": 250, "within": 300},
        {"notifications": [notice(at, "watchdog", "Watchdog") for at in range(1, 120, 20)]},
        "fail",
        "A dead man's switch at watchdog that waits 250 s would not have rung: 2 beats came after outage took effect.",
        {"beats": 2},
        (61.2, 92.1),
    ),
    "rings too late": (
        "alerts/deadman",
        {"during": "outage", "after": 250, "within": 100},
        {"notifications": BEATS},
        "fail",
        "A dead man's switch at watchdog that waits 250 s would have rung 239 s after outage took effect, too late (bound 100 s).",  # noqa: E501
        {"rings_s": 239.0, "bound_s": 100.0},
        (61.2, 72.1),
    ),
    "drifts late": (
        "drift/rises",
        {"feature": "f1", "during": "outage", "within": 20},
        {"series": {'drift_detected{feature="f1"}': [*steady(0, 0.2, 65), *steady(1, 65.54321, 100)]}},
        "fail",
        "Drift of f1 detected only 34.4 s after outage took effect (bound 20 s).",
        {"detected_s": 34.432, "bound_s": 20.0, "fixed_s": {}},
        (61.2, 64.1),
    ),
    "drift is not recorded on": (
        "drift/rises",
        {"feature": "f1", "during": "outage", "within": 60},
        {"series": {'drift_detected{feature="f1"}': steady(0, 0.2, 66.3)}},
        "unknown",
        "The record of f1's drift ended before the bound 60 s was over, still at 0.",
        {},
        (61.2, 68.1),
    ),
    "drift is recorded long enough": (
        "drift/rises",
        {"feature": "f1", "during": "outage", "within": 60},
        {"series": {'drift_detected{feature="f1"}': steady(0, 0.2, 67.3)}},
        "fail",
        "Drift of f1 not detected 60 s after outage took effect (bound 60 s).",
        {},
        (61.2, 68.1),
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
    "answers": (
        "service/answers",
        {},
        {"requests": SERVED},
        "fail",
        "37 of 446 answers are not as declared: normal: 30 x 503 (first r-1-420); normal: 7 x unknown outcome (first r-1-450). 20 more failed while a fault was active.",  # noqa: E501
        {"requests": 446, "unexpected": 37, "excused": 20, "share": [0.059082, 0.112537]},
        (0.0, 120.0),
    ),
    "answers in baseline": (
        "service/answers",
        {"in": "baseline", "kinds": ["normal"]},
        {"requests": SERVED},
        "pass",
        "400 requests answered as declared (at most 0.92% are not, at 95 %).",
        {"requests": 400, "unexpected": 0, "excused": 0, "share": [0.0, 0.00918]},
        (0.0, 60.0),
    ),
    "counts": (
        "metrics/agree",
        {},
        {"requests": SERVED, "series": COUNTED},
        "pass",
        "Counters and clients agree: success: counted 400, clients 400 to 407, error: counted 51, clients 50 to 57, rejected: counted 4, clients 4 to 9 (7 requests have an unknown outcome).",  # noqa: E501
        {
            "success": {"counted": 400.0, "low": 400, "high": 407},
            "error": {"counted": 51.0, "low": 50, "high": 57},
            "rejected": {"counted": 4.0, "low": 4, "high": 9},
        },
        (0.0, 120.0),
    ),
    "loses lines": (
        "logs/ledger",
        {"lost": 1},
        {"requests": SERVED, "documents": DOCUMENTS, "source": [(f"r-1-{at}", 200) for at in range(398)]},
        "fail",
        "Of 454 lines due: 38 lost (allowed 1), 35 never written and 3 lost on the way, first r-1-395; 1 duplicated, first r-1-0; 1 misparsed, 0 set aside unparsed and 1 with another status than the client saw; 1 that nobody sent or that should not be logged, first r-1-999.",  # noqa: E501
        {"expected": 454, "documents": 418, "lost": 38, "duplicated": 1, "misparsed": 1, "strangers": 1},
        (0.0, 120.0),
    ),
    "bears lost lines": (
        "logs/ledger",
        {"lost": 99, "duplicated": 2, "misparsed": 5},
        {"requests": SERVED, "documents": [(f"r-1-{at}", 200) for at in range(395)], "unparsed": [{"id": "x"}]},
        "pass",
        "454 lines due came out; borne: 59 lost, 0 duplicated, 1 misparsed, and 0 of 12 that may or may not be logged.",
        {"expected": 454, "documents": 395, "lost": 59, "duplicated": 0, "misparsed": 1, "strangers": 0},
        (0.0, 120.0),
    ),
    "is quick": (
        "latency/within",
        {"quantile": 0.9, "bound": "0.1s", "in": "baseline"},
        {"requests": SERVED},
        "pass",
        "p90 within 100 ms: seen 20 ms, 3 of 403 requests over it (3 without an answer), at 99 % confidence.",
        {"requests": 403, "over": 3, "perhaps_over": 0, "bound_s": 0.1, "seen_ms": 20.0},
        (0.0, 60.0),
    ),
    "is slow": (
        "latency/within",
        {"quantile": 0.99, "bound": "0.1s"},
        {"requests": SERVED},
        "fail",
        "p99 within 100 ms does not hold: seen no answer in time, 60 of 460 requests over it (10 without an answer, 50 answered 5xx), at 99 % confidence.",  # noqa: E501
        {"requests": 460, "over": 53, "perhaps_over": 7, "bound_s": 0.1, "seen_ms": None},
        (0.0, 120.0),
    ),
    "is not proven": (
        "latency/within",
        {"quantile": 0.999, "bound": "0.1s", "in": "baseline"},
        {"requests": SERVED},
        "fail",
        "p99.9 within 100 ms does not hold: seen no answer in time, 3 of 403 requests over it (3 without an answer), at 99 % confidence.",  # noqa: E501
        {"requests": 403, "over": 3, "perhaps_over": 0, "bound_s": 0.1, "seen_ms": None},
        (0.0, 60.0),
    ),
    "sends too little": (
        "load/delivered",
        {},
        {"requests": many(500, 0, 60, late_s=0.0123), "run": {"kinds": KINDS, "phases": PLANNED}, "facts": WORKED},
        "fail",
        "The load was off: baseline: asked 10.0/s, sent 8.3/s (500 of 600, 98 may be off); trouble: asked 10.0/s, sent 0.0/s (0 of 600, 98 may be off); all phases: asked 10.0/s, sent 4.2/s (500 of 1200, 139 may be off) (0 never sent, schedule error p50 12.3, p99 12.3, most 12.3 ms). No limit of the generator is known to have been reached; use more workers or a lower rate.",  # noqa: E501
        {
            "asked": 1200.0,
            "sent": 500,
            "dropped": 0,
            "late_ms": {"p50": 12.3, "p99": 12.3, "max": 12.3},
            "late_ms_p99": 12.3,
            "cpu_share": [0.826],
            "phases": {
                "baseline": {"asked": 600.0, "sent": 500, "seconds": 60.0, "noise": 97.97959, "allowed": 97.97959},
                "trouble": {"asked": 600.0, "sent": 0, "seconds": 60.0, "noise": 97.97959, "allowed": 97.97959},
            },
            "limits": [],
            "gap_distance": {"baseline": {"due": 0.6988, "sent": 0.6988}, "trouble": {}},
        },
        (0.0, 120.0),
    ),
    "sends enough": (
        "load/delivered",
        {"tolerance": 0.5},
        {"requests": many(1100, 0, 120, late_s=0.0123), "run": {"kinds": KINDS, "phases": PLANNED}, "facts": WORKED},
        "pass",
        "Asked 1200, sent 1100 requests (0 never sent, schedule error p50 12.3, p99 12.3, most 12.3 ms).",
        {
            "asked": 1200.0,
            "sent": 1100,
            "dropped": 0,
            "late_ms": {"p50": 12.3, "p99": 12.3, "max": 12.3},
            "late_ms_p99": 12.3,
            "cpu_share": [0.826],
            "phases": {
                "baseline": {"asked": 600.0, "sent": 550, "seconds": 60.0, "noise": 97.97959, "allowed": 300.0},
                "trouble": {"asked": 600.0, "sent": 550, "seconds": 60.0, "noise": 97.97959, "allowed": 300.0},
            },
            "limits": [],
            "gap_distance": {"baseline": {"due": 0.6641, "sent": 0.6641}, "trouble": {"due": 0.6641, "sent": 0.6641}},
        },
        (0.0, 120.0),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_verdict_to_the_last_figure(tmp_path, name):
    check, args, more, answer, reason, figures, window = ROWS[name]
    run = {"phases": {"baseline": 60, "trouble": 60}, "speed": 10, "faults": [OUTAGE], "run": {"kinds": KINDS}}
    evidence = build(tmp_path / "run", **{**run, **more, "series": alive(more.get("series", {}))})
    parsed = CHECKS[check].args.model_validate(args)
    finding, looked = CHECKS[check].judge(evidence, parsed), CHECKS[check].window(evidence, parsed)
    rounded = json.loads(json.dumps(finding.figures), parse_float=lambda text: round(float(text), 6))
    assert (finding.answer, finding.reason, rounded) == (answer, reason, figures)
    assert (round(looked.start - START, 3), round(looked.end - START, 3)) == window
