import pytest

from tests.evidence.build import SIGNALS, START, asked, build, fault, firing, notice, steady, together
from tests.evidence.rendered import alert, write
from tocsin.harness.evidence.evidence import read_evidence
from tocsin.harness.evidence.interval import Interval
from tocsin.harness.evidence.stream_coverage import blind_intervals, cut_out, planned_blindness

UP = 'up{job="ml-inference", instance="model:80"}'
OTHER = 'up{job="prometheus", instance="prometheus:80"}'
STREAMS = ("metrics", "alerts", "notifications", "logs", "drift", "requests")


OUTAGE = fault(
    "outage", "kill", "baseline", blinds=[("metrics", "prometheus")], injected=20, effective=21, healed=30, gone=32
)


def span(start, end):
    return Interval(start=START + start, end=START + end)


def asked_of(evidence, stream, start=0.0, end=60.0):
    found = blind_intervals(evidence, stream, span(start, end))
    return [(round(one.start - START, 2), round(one.end - START, 2)) for one, _ in found]


def checks(start, end, every=5.0):
    return [(at, START + at // every * every) for at, _ in steady(0, start, end)]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("speed", "start", "end"), [(1, 0, 60), (1, 10, 30), (1, 10.1, 10.4), (2, 0, 60)])
def test_a_healthy_run_is_blind_nowhere(tmp_path, stream, speed, start, end):
    evidence = build(tmp_path / "run", healthy=True, speed=speed)
    assert asked_of(evidence, stream, start, end) == []


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("start", "end"), [(0, 60), (10, 10.5)])
def test_an_empty_stream_is_blind_all_over(tmp_path, stream, start, end):
    evidence = build(tmp_path / "run")
    assert set(asked_of(evidence, stream, start, end)) == {(start, end)}


@pytest.mark.parametrize("stream", STREAMS)
def test_an_empty_run_directory_is_blind_all_over(tmp_path, stream):
    evidence = build(tmp_path / "run")
    for path in sorted(evidence.folder.glob("*/*")):
        path.unlink()
    assert set(asked_of(evidence, stream)) == {(0, 60)}


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        (steady(1, 0.2, 60), []),
        (steady(0, 0.2, 60), []),  # a scrape that failed was seen
        (steady(1, 0.2, 20) + steady(1, 22, 60), []),  # 2.8 s without one: allowed are 3
        (steady(1, 0.2, 20) + steady(1, 24, 60), [(19.2, 24)]),
        (steady(1, 0.2, 40), [(39.2, 60)]),
        (steady(1, 10, 60), [(0, 10)]),
        (steady(1, 0.2, 60, every=1.5), [(0, 60)]),  # a third is missing, and nowhere three in a row
        ([(30.0, 1.0)], [(0, 30), (30, 60)]),
    ],
)
def test_metrics_count_scrapes_against_those_due(tmp_path, up, expected):
    evidence = build(tmp_path / "run", series={UP: up, OTHER: steady(1, 0, 60)})
    assert asked_of(evidence, "metrics") == expected


def test_metrics_name_the_job_and_the_counts(tmp_path):
    evidence = build(tmp_path / "run", series={UP: steady(1, 0.2, 20), OTHER: steady(1, 0, 60)})
    ((_, reason),) = blind_intervals(evidence, "metrics", span(0, 60))
    assert reason == "Scrapes of job ml-inference in 60.0 s: 20 seen, 60 due; none for 40.8 s, 3.0 s allowed."


def test_every_target_of_a_job_must_be_scraped(tmp_path):
    second = 'up{job="prometheus", instance="b:80"}'
    series = {UP: steady(1, 0.2, 60), OTHER: steady(1, 0, 60), second: steady(1, 0, 30)}
    assert asked_of(build(tmp_path / "run", series=series), "metrics") == [(30, 60)]


def test_no_declared_job_is_blind(tmp_path):
    evidence = build(tmp_path / "run", healthy=True, run={"jobs": {}})
    assert asked_of(evidence, "metrics") == [(0, 60)]


@pytest.mark.parametrize(
    ("end", "start", "expected"), [(20, 21.5, []), (20, 30, [(19.4, 30.4)]), (60, 60, []), (20, 60, [(19.4, 60)])]
)
def test_alerts_count_evaluations_of_the_watchdog(tmp_path, end, start, expected):
    beats = together(firing("Watchdog", start=0.4, end=end), firing("Watchdog", start=start + 0.4, end=61))
    evidence = build(tmp_path / "run", series=beats | firing("High", start=0, end=60))
    assert asked_of(evidence, "alerts") == expected


def test_a_pending_watchdog_is_no_sign_of_life(tmp_path):
    evidence = build(tmp_path / "run", series=firing("Watchdog", start=None, pending=0.4, end=61))
    assert asked_of(evidence, "alerts") == [(0, 60)]


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ([notice(at, "watchdog", "Watchdog") for at in range(1, 65, 10)], []),  # each second interval
        ([notice(at, "watchdog", "Watchdog") for at in (1, 6, 11, 35, 40, 45, 50, 55)], [(11, 35)]),
        ([notice(at, "page", "Watchdog") for at in range(1, 65, 5)], [(0, 60)]),  # another receiver
        ([notice(at, "watchdog", "High") for at in range(1, 65, 5)], [(0, 60)]),  # another alert
        ([notice(at, "watchdog", "Watchdog", answered=500) for at in range(1, 65, 5)], [(0, 60)]),  # attempts
        ([notice(at, "watchdog", "Watchdog", status="resolved") for at in range(1, 65, 5)], [(0, 60)]),
    ],
)
def test_notifications_follow_the_watchdogs_beats(tmp_path, beats, expected):
    assert asked_of(build(tmp_path / "run", notifications=beats), "notifications") == expected


@pytest.mark.parametrize(
    ("beats", "settled", "expected"),
    [
        ((1, 6, 11, 40, 45), None, [(25, 27)]),  # a pager deaf from 11 to 40: a beat was near, and it saw nothing
        ((1, 6, 11, 16, 30, 35), None, []),  # 14 s without one: allowed are 14.5
        ((1, 6, 11, 16), None, []),  # the record may end with the window
        ((1, 6, 11, 16), 60.5, [(25, 27)]),  # it went on, and no beat ever came
        ((30, 35), None, []),
        ((42, 47), None, [(25, 27)]),
    ],
)
def test_in_a_short_window_the_gap_around_it_counts(tmp_path, beats, settled, expected):
    facts = [] if settled is None else [("settled", settled, {})]
    beats = [notice(at, "watchdog", "Watchdog") for at in beats]
    evidence = build(tmp_path / "run", notifications=beats, facts=facts)
    assert asked_of(evidence, "notifications", 25, 27) == expected


@pytest.mark.parametrize(("back", "expected"), [(40.5, []), (50, [(38.5, 40)])])
def test_a_gap_is_not_measured_across_planned_blindness(tmp_path, back, expected):
    series = {key: steady(1, 0, 19) + steady(1, back, 60) for key in (UP, OTHER)}
    evidence = build(tmp_path / "run", series=series, faults=[OUTAGE])
    assert sorted(set(asked_of(evidence, "metrics", 38.5, 40))) == expected


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ((), []),
        ((30,), []),  # a lost line is for the ledger to judge
        ((30, 31), []),
        ((30, 31, 32), [(30.5, 32.51)]),
        (range(60), [(0, 60)]),
    ],
)
def test_logs_follow_the_canaries(tmp_path, lost, expected):
    canaries = [asked(at + 0.5, kind="canary", id=f"c{at}") for at in range(60)]
    out = [(f"c{at}", 200) for at in range(60) if at not in lost]
    assert asked_of(build(tmp_path / "run", requests=canaries, documents=out), "logs") == expected


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([asked(at, kind="canary") for at in range(70, 80)], [(0, 60)]),  # none in the window
        ([asked(at) for at in range(60)], [(0, 60)]),  # none at all
        ([asked(at, kind="canary", outcome="unknown") for at in range(60)], [(0, 60)]),
        ([asked(at, kind="canary", status=503) for at in range(60)], []),  # an answer, so a line
    ],
)
def test_logs_need_a_canary_that_was_answered(tmp_path, requests, expected):
    assert asked_of(build(tmp_path / "run", requests=requests), "logs") == expected


def test_logs_that_were_not_read_in_full_are_blind(tmp_path):
    evidence = build(tmp_path / "run", healthy=True, logs={"complete": False, "detail": "it was down"})
    ((_, reason),) = blind_intervals(evidence, "logs", span(0, 60))
    assert "it was down" in reason


@pytest.mark.parametrize(
    ("checked", "expected"),
    [
        (checks(0, 60), []),
        (checks(0, 30) + [(at, START + 30) for at in range(31, 61)], [(30, 60)]),  # scraped, but it stands still
        (steady(0, 0, 60), [(0, 60)]),  # never checked
        (checks(0, 20) + steady(0, 21, 24) + checks(25, 60), []),  # a restart: zero is no check
        (steady(START - 100, 0, 60), [(0, 60)]),
    ],
)
def test_drift_needs_checks_that_go_on(tmp_path, checked, expected):
    found = asked_of(build(tmp_path / "run", series={"drift_checked": checked}), "drift")
    assert found == expected


@pytest.mark.parametrize(("start", "end", "expected"), [(0, 10, []), (0, 60, [(19, 60)]), (30, 40, [(30, 40)])])
def test_requests_of_a_run_cut_off_end_with_the_last_one(tmp_path, start, end, expected):
    evidence = build(tmp_path / "run", requests=[asked(at) for at in range(20)])
    lines = (evidence.folder / "journal.jsonl").read_text().splitlines()
    assert "play_ended" in lines[-1]
    (evidence.folder / "journal.jsonl").write_text("\n".join(lines[:-1]))
    assert asked_of(read_evidence(evidence.folder), "requests", start, end) == expected


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (38, []),  # 32 + 6 s that Prometheus needs to start
        (40.5, []),  # the first one in reach of the end
        (50, [(38, 50)]),
    ],
)
def test_planned_blindness_is_cut_out_and_must_end(tmp_path, back, expected):
    series = {key: steady(1, 0, 20) + steady(1, back, 60) for key in (UP, OTHER)}
    evidence = build(tmp_path / "run", series=series, faults=[OUTAGE])
    assert sorted(set(asked_of(evidence, "metrics"))) == expected


def test_planned_blindness_of_one_stream_excuses_no_other(tmp_path):
    evidence = build(tmp_path / "run", faults=[OUTAGE])
    assert asked_of(evidence, "alerts") == [(0, 60)]


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ({}, []),  # never injected: nothing is excused
        ({"injected": 20}, [(20, float("inf"))]),
        ({"injected": 20, "healed": 30}, [(20, 36)]),
        ({"injected": 20, "effective": 21, "healed": 30, "gone": 32}, [(20, 38)]),
    ],
)
def test_planned_intervals(tmp_path, happened, expected):
    one = fault("outage", "kill", "baseline", blinds=[("metrics", "prometheus")], **happened)
    found = planned_blindness(build(tmp_path / "run", faults=[one]), "metrics")
    assert [(hole.start - START, hole.end - START) for hole in found] == expected


@pytest.mark.parametrize(
    ("holes", "expected"),
    [
        ([], [(0, 60)]),
        ([(10, 20)], [(0, 10), (20, 60)]),
        ([(10, 30), (20, 25)], [(0, 10), (30, 60)]),
        ([(-5, 5), (50, 99)], [(5, 50)]),
        ([(0, 60)], []),
        ([(70, 80)], [(0, 60)]),
        ([(-9, -1)], [(0, 60)]),
    ],
)
def test_cut(holes, expected):
    left = cut_out(span(0, 60), [span(*hole) for hole in holes])
    assert [(one.start - START, one.end - START) for one in left] == expected


@pytest.mark.parametrize("signal", ["watchdog", "drift"])
def test_a_signal_left_out_of_the_stack_is_blind(tmp_path, signal):
    evidence = build(tmp_path / "run", healthy=True, run={"signals": {**SIGNALS, signal: None}})
    for stream in {"watchdog": ("alerts", "notifications"), "drift": ("drift",)}[signal]:
        ((_, reason),) = blind_intervals(evidence, stream, span(0, 60))
        assert f"signals.{signal}" in reason


def test_an_unknown_stream_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'grafana' is not a stream; expected one of metrics"):
        blind_intervals(build(tmp_path / "run"), "grafana", span(0, 60))


def test_a_job_with_a_slower_scrape_of_its_own_is_not_blind(tmp_path):
    series = {UP: steady(1, 0.2, 60, every=5), OTHER: steady(1, 0, 60)}
    assert asked_of(build(tmp_path / "run", series=series), "metrics") != []
    write(tmp_path / "own", alert(), jobs={"ml-inference": "5s", "prometheus": "1s"})
    assert asked_of(build(tmp_path / "own", series=series), "metrics") == []
    write(tmp_path / "gap", alert(), jobs={"ml-inference": "5s", "prometheus": "1s"})
    gap = {**series, UP: steady(1, 0.2, 20, every=5) + steady(1, 40.2, 60, every=5)}
    assert asked_of(build(tmp_path / "gap", series=gap), "metrics") == [(15.2, 40.2)]


def test_a_watchdog_in_a_slower_group_is_not_blind(tmp_path):
    beats = firing("Watchdog", start=0.4, end=61, every=5)
    assert asked_of(build(tmp_path / "run", series=beats), "alerts") != []
    write(tmp_path / "own", alert("Watchdog"), group={"interval": "5s"})
    assert asked_of(build(tmp_path / "own", series=beats), "alerts") == []
