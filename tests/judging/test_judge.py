import dataclasses
import json

import numpy as np
import pytest

from tests.evidence.build import SIGNALS, START, asked, build, fault, firing, notice, together
from tocsin.assertions import ALL
from tocsin.harness.declarations.check_arguments import Args, Bounded
from tocsin.harness.declarations.scenario import Expectation
from tocsin.harness.evidence.evidence import EvidenceError, read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.judging.check import Check, failed, passed, unknown
from tocsin.harness.judging.judge import judge
from tocsin.harness.judging.verdicts import title

ROW = {"status": [200], "counted": "answered", "logged": "yes"}
LOAD = next(check for check in ALL if check.id == "load/delivered")
REAL = {check.id: check for check in ALL}
PHASES = {"baseline": 30, "trouble": 30}


def evidence(tmp_path, *expect, rate=10, healthy=True, run=None, requests=(), **more):
    """A healthy run of two phases of 30 s at 10 requests a second, whose scenario expects `expect`."""
    lines = [{"check": check, "args": args, "line": number} for number, (check, args) in enumerate(expect, 1)]
    scenario = {
        "version": 1,
        "name": "drill",
        "summary": "a test",
        "timeline": [{"phase": name, "for": length} for name, length in PHASES.items()],
        "expect": lines or [{"check": "is/good", "args": {}}],
    }
    load = [asked(float(at)) for at in np.arange(0.05, 60, 1 / rate)] if rate else []
    run = {"kinds": {"normal": ROW, "canary": ROW}, "scenario": scenario, **(run or {})}
    more.setdefault("phases", PHASES)
    return build(tmp_path / "run", requests=[*load, *requests], healthy=healthy, run=run, **more)


def check(id="is/good", answer=passed, **more):
    more = {"args": Args, "streams": (), **more}
    return Check(id=id, summary="a test", judge=lambda evidence, args: answer("as it is."), **more)


def judged(found, *checks, **more):
    """Return the verdicts apart from the load's."""
    return judge(found, {one.id: one for one in (LOAD, *checks)}, **more)[1:]


@pytest.mark.parametrize("answer", [passed, failed, unknown])
def test_a_verdict_carries_the_finding(tmp_path, answer):
    found = evidence(tmp_path, ("other/one", {"in": "trouble"}), ("is/good", {}))
    verdicts = judge(found, {"is/good": check(answer=answer, files=("metrics/",)), "load/delivered": LOAD})
    assert [one.check for one in verdicts] == ["load/delivered", "other/one", "is/good"]
    good = verdicts[2]
    assert (good.answer, good.reason, good.files, good.line) == (answer("").answer, "as it is.", ("metrics/",), 2)
    assert (verdicts[1].answer, verdicts[1].title) == ("unknown", "other/one {in: trouble}")


def test_the_load_comes_first_with_the_arguments_of_the_scenario(tmp_path):
    expect = [("is/good", {}), ("load/delivered", {"tolerance": 0.5})]
    first, second = judge(evidence(tmp_path, *expect), {"is/good": check(), "load/delivered": LOAD})
    assert (first.check, first.title, first.answer, first.line) == (
        "load/delivered",
        "load/delivered {tolerance: 0.5}",
        "pass",
        2,
    )
    assert (second.check, second.answer) == ("is/good", "pass")


@pytest.mark.parametrize(
    ("only", "expected"),
    [("is/*", ["is/good"]), ("load/*", ["load/delivered"]), ("*", ["load/delivered", "is/good"]), ("none/*", [])],
)
def test_only_some(tmp_path, only, expected):
    verdicts = judge(evidence(tmp_path), {"is/good": check(), "load/delivered": LOAD}, only=only)
    assert [one.check for one in verdicts] == expected


def test_the_same_evidence_gives_the_same_verdicts(tmp_path):
    expect = [
        ("metrics/agree", {}),
        ("alerts/quiet", {}),
        ("logs/ledger", {}),
        ("service/answers", {}),
        ("drift/flat", {}),
    ]
    found = evidence(tmp_path, *expect)
    verdicts = judge(found, REAL)
    assert verdicts == judge(found, REAL)
    json.dumps([dataclasses.asdict(one) for one in verdicts])  # all figures can be written


def explode(evidence, args):
    return 1 / 0


def refuse(evidence, args):
    raise EvidenceError("the archive is torn")


@pytest.mark.parametrize(
    ("one", "args", "words"),
    [
        (dataclasses.replace(check(), judge=explode), {}, "The check crashed: ZeroDivisionError: division by zero"),
        (dataclasses.replace(check(), window=explode), {}, "The check crashed: ZeroDivisionError"),
        (dataclasses.replace(check(), judge=refuse), {}, "The archive is torn."),
        (check(args=Bounded), {}, "do not fit this version of the check: 1 validation error"),
        (check(), {"extra": 1}, "do not fit"),
        (check(), {"in": "never"}, "The phase never was never played."),
        (check(), {"during": "never"}, "The fault never was never injected."),
    ],
)
def test_what_breaks_in_a_check_is_unknown(tmp_path, one, args, words):
    (verdict,) = judged(evidence(tmp_path, ("is/good", args)), one)
    assert (verdict.answer, words in verdict.reason) == ("unknown", True), verdict.reason


@pytest.mark.parametrize(
    ("rate", "needs_load", "answer"),
    [(10, True, "pass"), (5, True, "unknown"), (5, False, "pass"), (0, True, "unknown"), (0, False, "pass")],
)
def test_load_that_was_not_delivered_leaves_nothing_to_say(tmp_path, rate, needs_load, answer):
    found = evidence(tmp_path, rate=rate)
    for judge_of in (passed, failed):  # both ways
        (verdict,) = judged(found, check(answer=judge_of, needs_load=needs_load))
        if needs_load and answer == "unknown":
            assert verdict.answer == "unknown"
            assert verdict.reason.startswith("The load was not delivered: ")
        else:
            assert verdict.answer == judge_of("").answer


BLINDING = {
    "metrics": {"healthy": False},
    "alerts": {"healthy": False},
    "notifications": {"healthy": False},
    "drift": {"healthy": False},
    "logs": {"logs": {"complete": False, "detail": "no index"}},
    "requests": {"rate": 0, "healthy": False},
}


@pytest.mark.parametrize("stream", BLINDING)
def test_a_blind_stream_is_unknown_both_ways(tmp_path, stream):
    blind = evidence(tmp_path / "blind", **BLINDING[stream])
    seeing = evidence(tmp_path / "seeing")
    for answer in (passed, failed):
        one = check(answer=answer, streams=(stream,), needs_load=False)
        (verdict,) = judged(blind, one)
        assert (verdict.answer, f"The stream {stream} was blind from 0 s of play on" in verdict.reason) == (
            "unknown",
            True,
        )
        (verdict,) = judged(seeing, one)
        assert verdict.answer == answer("").answer, verdict.reason


def test_blindness_outside_the_window_does_not_matter(tmp_path):
    series = {f'up{{job="{job}"}}': [(at, 1) for at in range(29)] for job in SIGNALS["jobs"]}
    found = evidence(
        tmp_path, ("is/good", {"in": "baseline"}), ("is/good", {"in": "trouble"}), healthy=False, series=series
    )
    early, late = judged(found, check(streams=("metrics",), needs_load=False))
    assert (early.answer, late.answer) == ("pass", "unknown")
    short = check(streams=("metrics",), needs_load=False, window=lambda e, a: Interval(start=START + 1, end=START + 9))
    assert [one.answer for one in judged(found, short)] == ["pass", "pass"]


def test_some_arguments_need_more_streams(tmp_path):
    found = evidence(tmp_path, ("is/good", {"in": "baseline"}), ("is/good", {}), healthy=False)
    one = check(needs_load=False, more_streams=lambda args: ("alerts",) if args.phase else ())
    assert [verdict.answer for verdict in judged(found, one)] == ["unknown", "pass"]


@pytest.mark.parametrize(
    ("stream", "signal", "words"),
    [
        ("logs", "logs", "The stack names no signal for logs."),
        ("drift", "drift", "The stack names no signal for drift."),
        ("alerts", "watchdog", "The stack names no signal for alerts."),
        ("notifications", "watchdog", "The stack names no signal for notifications."),
        ("metrics", "jobs", "The stack names no signal for metrics."),
    ],
)
def test_a_signal_that_the_stack_leaves_out(tmp_path, stream, signal, words):
    left_out = {key: value for key, value in SIGNALS.items() if key != signal}
    found = evidence(tmp_path, run={"signals": left_out})
    (verdict,) = judged(found, check(streams=(stream,)))
    assert (verdict.answer, verdict.reason) == ("unknown", words)


def test_a_signal_that_was_not_ready(tmp_path):
    facts = [
        ("canary", -2.0, {"signal": "drift", "seen": False, "detail": "no check yet"}),
        ("ready", -1.0, {"signals": {"drift": False, "metrics": True}}),
    ]
    found = evidence(tmp_path, facts=facts)
    (verdict,) = judged(found, check(streams=("metrics", "drift")))
    assert (verdict.answer, verdict.reason) == ("unknown", "The signal drift was not ready before play: no check yet.")
    (verdict,) = judged(found, check(streams=("metrics",)))
    assert verdict.answer == "pass"


def test_a_run_that_never_began(tmp_path):
    found = evidence(tmp_path, run={"outcome": "Waited 60 s for a canary on every signal.\nIts log: ..."})
    facts = [fact for fact in found.journal if fact.fact == "traffic_started"]
    died = dataclasses.replace(facts[0], fact="role_died", more={"role": "model", "detail": "exit 1"})
    for verdict in judge(dataclasses.replace(found, journal=(died,)), {"is/good": check(), "load/delivered": LOAD}):
        assert verdict.answer == "unknown"
        assert verdict.reason == "Play never began: Waited 60 s for a canary on every signal; model died: exit 1."


@pytest.mark.parametrize(
    ("outcome", "errors", "words"),
    [
        (
            "No port. Free one.",
            ["No port. Free one.", "Waited 3.0 s for signals."],
            "No port. Free one.",
        ),
        ("Tocsin itself failed: ValueError: x", ["ValueError: x"], "Tocsin itself failed: ValueError: x."),
        ("running", ["ValueError: x"], "the run was cut off; ValueError: x."),
    ],
)
def test_why_play_never_began_is_said_once(tmp_path, outcome, errors, words):
    found = evidence(tmp_path, run={"outcome": outcome})
    facts = [dataclasses.replace(found.journal[0], fact="error", more={"message": message}) for message in errors]
    (verdict,) = judged(dataclasses.replace(found, journal=tuple(facts)), check())
    assert verdict.reason == f"Play never began: {words}"


@pytest.mark.parametrize(
    ("apart_s", "answer"),
    [(0.4, "pass"), (0.9, "pass"), (1.1, "unknown"), (3600.0, "unknown")],
)
def test_clocks_too_far_apart_let_nothing_be_said(tmp_path, apart_s, answer):
    clocks = [("clock", at, {"process": "harness", "wall": at + step}) for at, step in ((-1.0, 0.0), (61.0, apart_s))]
    (verdict,) = judged(evidence(tmp_path, facts=clocks), check())
    assert verdict.answer == answer, verdict.reason
    assert ("The clocks of the run disagree by" in verdict.reason) == (answer == "unknown")


def test_load_that_is_asked_for_in_one_phase_still_gates_on_all(tmp_path):
    half = [asked(float(at)) for at in np.arange(0.05, 30, 0.1)]
    lines = [("load/delivered", {"in": "baseline"}), ("is/good", {})]
    found = evidence(tmp_path, *lines, rate=0, requests=half)
    load, good = judge(found, {one.id: one for one in (LOAD, check())})
    assert (load.answer, good.answer) == ("pass", "unknown")
    assert "The load was not delivered" in good.reason


@pytest.mark.parametrize(("lost", "answer"), [("1.npy", "unknown"), ("", "pass")])
def test_a_file_of_requests_that_is_gone_is_no_disagreement(tmp_path, lost, answer):
    grown = {f'predictions_total{{status="{one}"}}': [(-1, 0), (70, 0)] for one in ("error", "rejected")}
    grown['predictions_total{status="success"}'] = [(-1, 0), (70, 660)]
    found = evidence(tmp_path, ("metrics/agree", {}), ("logs/ledger", {}), series=grown)
    rows = np.load(found.folder / "requests" / "1.npy")
    counts = [(worker, int(np.count_nonzero(rows["worker"] == worker))) for worker in (0, 1)]
    for worker, _ in counts:
        np.save(found.folder / "requests" / f"{worker}.npy", rows[rows["worker"] == worker])
    if lost:
        (found.folder / "requests" / lost).unlink()
    fact = found.facts("play_ended")[0]
    more = [{"stream": "requests", "worker": worker, "count": count} for worker, count in counts]
    facts = tuple(dataclasses.replace(fact, fact="collected", more=one) for one in more)
    read = dataclasses.replace(found, journal=(*found.journal, *facts))
    for verdict in judge(read, REAL):
        assert verdict.answer == answer, verdict


CUT = ("interrupted", 40.0, {"signal": "SIGINT"})
STOPPED = {"outcome": "interrupted by SIGINT"}


@pytest.mark.parametrize(
    ("run", "facts", "words"),
    [
        (STOPPED, [CUT], "Not played to its end: 40 s into play, interrupted by SIGINT."),
        ({"outcome": "Disk full."}, [("error", 40.0, {"message": "Disk full."})], "40 s into play, Disk full."),
        ({}, [("role_died", 40.0, {"role": "model", "detail": "exit 1"})], "40 s into play, model died unasked."),
    ],
)
def test_what_was_not_played_to_its_end(tmp_path, run, facts, words):
    expect = [("is/good", {}), ("is/good", {"in": "baseline"}), ("is/good", {"in": "trouble"})]
    found = evidence(tmp_path, *expect, run=run, facts=facts)
    whole, before, within = judged(found, check())
    assert (whole.answer, words in whole.reason) == ("unknown", True), whole.reason
    assert (before.answer, within.answer) == ("pass", "unknown")


def test_a_killed_run_is_judged_as_far_as_its_journal_goes(tmp_path):
    expect, facts = [("is/good", {"in": "baseline"}), ("is/good", {})], [("clock", 40.0, {})]
    found = evidence(tmp_path, *expect, run={"outcome": "running"}, facts=facts)
    cut = dataclasses.replace(found, journal=tuple(fact for fact in found.journal if fact.fact != "play_ended"))
    early, whole = judged(cut, check())
    assert (early.answer, whole.answer) == ("pass", "unknown")
    assert "the run was cut off" in whole.reason


def test_what_happens_after_play_cuts_nothing_short(tmp_path):
    facts = [("error", 62.0, {"message": "Collecting logs failed"}), ("role_died", 63.0, {"role": "gpu", "detail": ""})]
    (verdict,) = judged(evidence(tmp_path, facts=facts, run={"outcome": "Collecting logs failed"}), check())
    assert verdict.answer == "pass", verdict.reason


@pytest.mark.parametrize(
    ("times", "baseline", "trouble", "words"),
    [
        ({"injected": 35, "effective": 36, "healed": 50, "gone": 51}, "pass", "pass", ""),
        ({"injected": 35}, "pass", "unknown", "The fault outage was never seen to take effect (last seen: nothing)."),
        ({"injected": 35, "healed": 50, "gone": 51}, "pass", "unknown", "take effect (last seen: absent)"),
        ({}, "pass", "unknown", "The fault outage was never seen to be injected"),
        (
            {"injected": 35, "effective": 36, "healed": 50},
            "pass",
            "unknown",
            "go away after its heal (last seen: present)",
        ),
        ({"injected": 10, "effective": 11, "healed": 25}, "unknown", "unknown", "go away after its heal"),
        ({"injected": 5, "healed": 25}, "unknown", "pass", ""),
        ({"injected": 5, "healed": 25, "effective": 26, "gone": 27}, "unknown", "pass", ""),  # seen only after its heal
    ],
)
def test_a_fault_that_nobody_saw(tmp_path, times, baseline, trouble, words):
    expect = [("is/good", {"in": "baseline"}), ("is/good", {"in": "trouble"})]
    found = evidence(tmp_path, *expect, faults=[fault("outage", "raises", "trouble", **times)])
    early, late = judged(found, check())
    assert (early.answer, late.answer) == (baseline, trouble)
    assert words in late.reason


def test_the_shadow_of_an_unseen_fault_is_as_long_as_the_bound(tmp_path):
    expect = [("is/good", {"in": "trouble", "within": within}) for within in (4, 6)]
    found = evidence(tmp_path, *expect, faults=[fault("outage", "raises", "baseline", injected=5, healed=25)])
    assert [one.answer for one in judged(found, check(args=Bounded))] == ["pass", "unknown"]


def test_an_unseen_fault_says_nothing_about_the_load(tmp_path):
    found = evidence(tmp_path, faults=[fault("outage", "raises", "trouble", injected=35)])
    assert judge(found, REAL)[0].answer == "pass"


FIRE = ("alerts/fire", {"alert": "HighErrorRate", "in": "trouble", "within": 20, "delivered_to": "page"})
RULE = {"name": "HighErrorRate", "file": "rules/a.yml", "loaded": True}
ERRORS = firing("HighErrorRate", start=35.4, end=45.4)


@pytest.mark.parametrize(
    ("more", "answer", "words"),
    [
        (
            {"series": ERRORS, "notifications": [notice(40, "page", "HighErrorRate")]},
            "pass",
            "delivered to page at 10 s",
        ),
        ({"run": {"alerts": [{**RULE, "loaded": False}]}}, "fail", "no loaded rule file defines HighErrorRate"),
        ({"series": ERRORS}, "fail", "never delivered to page"),
        ({"series": ERRORS, "healthy": False}, "unknown", "The stream alerts was blind"),
    ],
)
def test_a_page_that_does_not_come(tmp_path, more, answer, words):
    verdict = judge(evidence(tmp_path, FIRE, **more), REAL)[1]
    assert (verdict.answer, words in verdict.reason) == (answer, True), verdict.reason


@pytest.mark.parametrize(("blinds", "answer"), [([], "unknown"), ([("notifications", "pager")], "fail")])
def test_a_pager_that_answers_500_is_blindness_unless_it_was_planned(tmp_path, blinds, answer):
    deaf = [notice(at, "watchdog", "Watchdog", answered=500 if at > 30 else 200) for at in range(1, 65, 5)]
    series = together(ERRORS, firing("Watchdog", start=0.4, end=61))
    deafness = fault("deaf", "raises", "trouble", blinds=blinds, injected=30, effective=30.5, healed=59, gone=59.5)
    found = evidence(
        tmp_path,
        (FIRE[0], {**FIRE[1], "within": 30}),
        healthy=False,
        series=series,
        faults=[deafness],
        notifications=[*deaf, notice(40, "page", "HighErrorRate", answered=500)],
    )
    verdict = judge(found, REAL)[1]
    assert verdict.answer == answer, verdict.reason


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, "alerts/fire"),
        (
            {"alert": "A", "labels": {"f": "f3"}, "within": "12m"},
            "alerts/fire {alert: A, labels: {f: f3}, within: 12m}",
        ),
        ({"except": ["f3", "f7"], "lost": 0}, "alerts/fire {except: [f3, f7], lost: 0}"),
    ],
)
def test_a_title_is_the_line_of_the_scenario(args, expected):
    assert title(Expectation(check="alerts/fire", args=args)) == expected


BLINDED = {
    "alerts/delivered": {"alert": "High", "to": "page"},
    "alerts/grouped": {"alerts": ["High", "Low"]},
    "alerts/inhibited": {"alert": "High", "by": "Low"},
    "alerts/muted": {"alert": "High"},
    "alerts/once": {"alert": "High"},
    "alerts/order": {"first": "Low", "then": "High"},
}


@pytest.mark.parametrize("name", BLINDED)
@pytest.mark.parametrize("stream", ["alerts", "notifications"])
def test_an_alert_check_on_a_blind_stream_is_unknown(tmp_path, name, stream):
    high, low = firing("High", start=31.4, end=50), firing("Low", start=31.4, end=50)
    told = [notice(33, "page", "High", "Low")]
    found = evidence(tmp_path, (name, BLINDED[name]), series=together(high, low), notifications=told)
    (seen,) = judge(found, REAL)[1:]
    assert "blind" not in seen.reason
    folder = found.folder
    if stream == "notifications":
        (folder / "notifications.jsonl").write_text("")
    else:
        for path in (folder / "metrics").iterdir():
            path.unlink()
    (seen,) = judge(read_evidence(folder), REAL)[1:]
    if stream in REAL[name].streams:
        assert (seen.answer, f"The stream {stream} was blind" in seen.reason) == ("unknown", True), seen.reason
    else:
        assert "blind" not in seen.reason


def test_a_waiver_is_judged_by_the_day_of_the_run(tmp_path):
    found = evidence(tmp_path, ("is/good", {}), run={"started_at": "2027-01-31T12:00:00+00:00"})
    lines = found.run["scenario"]["expect"]
    for until, waived in (("2027-01-31", True), ("2027-01-30", False)):
        lines[0]["waive"] = {"until": until, "reason": "It is known."}
        (folder := found.folder / "run.json").write_text(json.dumps(dict(found.run)))
        (one,) = judged(read_evidence(folder.parent), check(answer=failed))
        assert (one.answer, one.waived, one.counted) == ("fail", waived, "pass" if waived else "fail")
