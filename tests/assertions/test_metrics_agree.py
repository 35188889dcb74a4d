import pytest

from tests.assertions.asking import ask, says
from tests.evidence.build import SIGNALS, asked, fault

TIMES = (0.5, 30.5, 70.5, 119.5)


def counters(success, error=(0, 0, 0, 0), rejected=(0, 0, 0, 0), times=TIMES, job="ml-inference"):
    values = {"success": success, "error": error, "rejected": rejected}
    return {
        f'predictions_total{{job="{job}", status="{status}"}}': list(zip(times, counts, strict=True))
        for status, counts in values.items()
    }


def good(count: int, start: float = 1.0, **more) -> list[dict]:
    return [asked(start + at / 100, **more) for at in range(count)]


@pytest.mark.parametrize(
    ("requests", "series", "answer", "words"),
    [
        (good(10), counters((0, 10, 10, 10)), "pass", ["agree: success: counted 10, clients 10", "error: counted 0"]),
        (good(10), counters((5, 10, 12, 15)), "pass", "success: counted 10"),  # it had counted before the run
        (good(10), counters((0, 10, 10, 9.999)), "fail", "A counter fell 1 times without a planned restart"),
        (good(10), counters((0, 9, 9, 9)), "fail", "disagree: success: counted 9, clients 10"),
        (good(10), counters((0, 11, 11, 11)), "fail", "counted 11, clients 10"),
        (
            good(10) + good(2, status=500),
            counters((0, 10, 10, 10), (0, 0, 2, 2)),
            "pass",
            "error: counted 2, clients 2",
        ),
        (
            good(10) + good(2, status=500),
            counters((0, 12, 12, 12)),
            "fail",
            ["success: counted 12", "error: counted 0"],
        ),
        (
            good(3, kind="broken_json", status=422),
            counters((0,) * 4, (0,) * 4, (0, 3, 3, 3)),
            "pass",
            "rejected: counted 3",
        ),
        (good(3, kind="oversize", status=413), counters((0,) * 4), "pass", "rejected: counted 0"),
        (
            good(3, kind="nan", status=422),
            counters((0,) * 4, (0,) * 4, (0, 1, 1, 1)),
            "pass",
            "counted 1, clients 0 to 3",
        ),
        (
            good(3, kind="nan", status=422),
            counters((0,) * 4, (0,) * 4, (0, 4, 4, 4)),
            "fail",
            "counted 4, clients 0 to 3",
        ),
        (good(3, kind="extra_field"), counters((0, 3, 3, 3)), "pass", "success: counted 3, clients 3"),
        (good(3, kind="extra_field"), counters((0,) * 4), "fail", "success: counted 0, clients 3"),
        (
            good(3, kind="extra_field", outcome="unknown", status=0),
            counters((0, 1, 1, 1), rejected=(0, 2, 2, 2)),
            "pass",
            ["success: counted 1, clients 0 to 3", "rejected: counted 2, clients 0 to 3"],
        ),
        (
            good(3, kind="abort", outcome="unknown", status=0),
            counters((0, 1, 1, 1)),
            "fail",
            "success: counted 1, clients 0",
        ),
        (
            good(3, kind="abort", outcome="unknown", status=0),
            counters((0,) * 4, rejected=(0, 3, 3, 3)),
            "pass",
            "0 to 3",
        ),
        (good(10) + good(3, kind="feedback"), counters((0, 10, 10, 10)), "pass", "success: counted 10, clients 10"),
        (good(10) + good(3, kind="feedback"), counters((0, 13, 13, 13)), "fail", "counted 13, clients 10"),
        (good(10) + good(3, kind="canary"), counters((0, 13, 13, 13)), "pass", "counted 13"),
        (good(10) + good(5, outcome="dropped"), counters((0, 10, 10, 10)), "pass", "clients 10"),
        (good(10) + good(5, outcome="failed"), counters((0, 10, 10, 10)), "pass", "clients 10"),
    ],
)
def test_agree(tmp_path, requests, series, answer, words):
    says(ask("metrics/agree", tmp_path, {}, requests=requests, series=series), answer, words)


@pytest.mark.parametrize(
    ("success", "error", "answer"),
    [
        (10, 0, "pass"),
        (15, 0, "pass"),
        (10, 5, "pass"),
        (12, 3, "pass"),
        (9, 0, "fail"),
        (16, 0, "fail"),
        (10, 6, "fail"),
    ],
)
def test_unknown_outcomes_make_an_interval(tmp_path, success, error, answer):
    requests = good(10) + good(5, outcome="unknown")
    series = counters((0, success, success, success), (0, error, error, error))
    found = ask("metrics/agree", tmp_path, {}, requests=requests, series=series)
    says(found, answer, "5 requests have an unknown outcome")


KILL = fault("outage", "kill", "baseline", params={"role": "model"}, injected=40, effective=41, healed=50, gone=51)
BEFORE, LATE, AFTER = good(20), good(4, start=35.0), good(8, start=60.0)  # LATE: after the last scrape, before the kill


@pytest.mark.parametrize(
    ("success", "answer", "words"),
    [
        ((0, 20, 8, 8), "pass", ["counted 28, clients 28 to 32", "4 answers came between the last scrape and outage"]),
        ((0, 24, 8, 8), "pass", "counted 32"),
        ((0, 19, 8, 8), "fail", "counted 27, clients 28 to 32"),
        ((0, 25, 8, 8), "fail", "counted 33"),
        ((0, 20, 7, 7), "fail", "counted 27"),
    ],
)
def test_a_planned_kill_bounds_what_died_uncounted(tmp_path, success, answer, words):
    found = ask("metrics/agree", tmp_path, {}, requests=BEFORE + LATE + AFTER, series=counters(success), faults=[KILL])
    says(found, answer, words)


def test_a_new_process_that_overtook_the_old_value_is_still_new(tmp_path):
    requests = good(5) + good(9, start=60.0)
    found = ask("metrics/agree", tmp_path, {}, requests=requests, series=counters((0, 5, 9, 9)), faults=[KILL])
    says(found, "pass", "counted 14, clients 14")


@pytest.mark.parametrize(
    ("kind", "params", "job"),
    [
        ("raises", {"role": "model"}, "ml-inference"),
        ("kill", {"role": "pager"}, "ml-inference"),
        ("kill", {"role": "model"}, "x"),
    ],
)
def test_only_a_planned_restart_of_the_counting_role_excuses_a_fall(tmp_path, kind, params, job):
    other = fault("outage", kind, "baseline", params=params, injected=40, effective=41, healed=50, gone=51)
    series = counters((0, 20, 8, 8), job=job)
    found = ask("metrics/agree", tmp_path, {}, requests=BEFORE + AFTER, series=series, faults=[other])
    says(found, "fail", "fell 1 times without a planned restart")


def test_a_counter_born_with_the_run_counts_from_zero(tmp_path):
    series = counters((10, 10, 10, 10), times=(5.5, 30.5, 70.5, 119.5))  # first scraped after the first requests
    says(ask("metrics/agree", tmp_path, {}, requests=good(10), series=series), "pass", "counted 10")


def test_two_replicas_are_summed(tmp_path):
    series = counters((0, 6, 6, 6)) | counters((0, 4, 4, 4), job="second")
    says(ask("metrics/agree", tmp_path, {}, requests=good(10), series=series), "pass", "counted 10")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"series": {}}, 'No series predictions_total{status="success"}'),
        ({"series": {k: v for k, v in counters((0, 10, 10, 10)).items() if "error" not in k}}, 'status="error"'),
        ({"requests": []}, "No request is recorded"),
        ({"requests": good(10, start=119.6)}, "not scraped after the last request"),
        ({"run": {"signals": {**SIGNALS, "requests": None}}}, "declares no request counter"),
    ],
)
def test_no_data_is_never_a_pass(tmp_path, more, words):
    evidence = {"requests": good(10), "series": counters((0, 10, 10, 10)), **more}
    says(ask("metrics/agree", tmp_path, {}, **evidence), "unknown", words)
