import numpy as np
import pytest

from tests.assertions.asking import CHECKS, ask, says
from tests.evidence.build import asked, fault

P99 = {"quantile": 0.99, "bound": "200ms"}


def load(count: int, slow: int = 0, start: float = 0, end: float = 60, slow_s: float = 0.3, **more) -> list[dict]:
    """So many requests of 10 ms, of which some take `slow_s`."""
    times = np.linspace(start, end, count, endpoint=False)
    took = [slow_s if place < slow else 0.01 for place in range(count)]
    return [asked(float(at), **{"took_s": took_s, **more}) for at, took_s in zip(times, took, strict=True)]


@pytest.mark.parametrize(
    ("count", "slow", "args", "answer", "words"),
    [
        # how many prove it: zero over the bound
        (459, 0, P99, "pass", ["p99 within 200 ms: seen 10 ms, 0 of 459 requests over it, at 99 % confidence"]),
        (458, 0, P99, "unknown", "at this share 459 requests are needed"),
        (458, 0, {**P99, "confidence": 0.98}, "pass", "at 98 %"),
        (1, 0, P99, "unknown", "459 requests are needed"),
        (20, 0, {"quantile": 0.5, "bound": "200ms"}, "pass", "p50 within 200 ms"),
        # some over it
        (3000, 17, P99, "pass", "17 of 3000 requests"),
        (3000, 18, P99, "unknown", "at this share"),
        (3000, 30, P99, "unknown", "too near 1 %"),
        (3000, 43, P99, "unknown", "too near 1 %, or above"),
        (3000, 45, P99, "fail", "p99 within 200 ms does not hold: seen 300 ms, 45 of 3000"),
        (100, 100, P99, "fail", "100 of 100"),
    ],
)
def test_pass_and_fail_only_where_the_sample_says_so(tmp_path, count, slow, args, answer, words):
    says(ask("latency/within", tmp_path, args, requests=load(count, slow)), answer, words)


def test_the_figures_of_large_samples(tmp_path):
    """30 000 requests tolerate 260 over the bound at p99; p99.9 takes 4 603 without one."""
    from tocsin.harness.core.statistics import binomial_at_most, trials_needed

    assert binomial_at_most(260, 30_000, 0.01) <= 0.01 < binomial_at_most(261, 30_000, 0.01)
    assert (trials_needed(0, 0.01, 0.99), trials_needed(0, 0.001, 0.99)) == (459, 4603)


def test_nothing_is_no_answer(tmp_path):
    says(ask("latency/within", tmp_path, P99, requests=[]), "unknown", "No request was sent there")
    canaries = load(600, kind="canary")
    says(ask("latency/within", tmp_path / "c", P99, requests=canaries), "unknown", "No request was sent there")


@pytest.mark.parametrize(
    ("more", "answer", "words"),
    [
        ({"outcome": "failed"}, "fail", ["no answer in time", "600 without an answer"]),
        ({"outcome": "dropped"}, "fail", "600 without an answer"),
        ({"status": 500}, "fail", ["no answer in time", "600 answered 5xx"]),  # a quick failure is no answer in time
        ({"outcome": "unknown"}, "unknown", "given up before the bound was over"),  # nobody knows when
        ({"status": 404}, "pass", ""),  # whether that is right is what service/answers asks
        ({"late_s": 0.15, "took_s": 0.19}, "pass", "seen 190 ms"),
        ({"late_s": 0.15, "took_s": 0.21}, "fail", "seen 210 ms"),  # waiting to be sent is waiting
    ],
)
def test_what_counts_as_over_the_bound(tmp_path, more, answer, words):
    says(ask("latency/within", tmp_path, P99, requests=load(600, **more)), answer, words)


@pytest.mark.parametrize(("bound", "answer"), [("9s", "fail"), ("10s", "fail"), ("11s", "unknown")])
def test_a_request_given_up_waited_at_least_that_long(tmp_path, bound, answer):
    from tocsin.harness.evidence.evidence import read_evidence

    built = ask_folder(tmp_path, load(600, outcome="unknown"))
    path = next((built / "requests").glob("*.npy"))
    rows = np.load(path)
    rows["done"] = rows["intended"] + 10
    np.save(path, rows)
    check = CHECKS["latency/within"]
    found = check.judge(read_evidence(built), check.args.model_validate({"bound": bound}))
    says(found, answer, "600 without an answer")


def ask_folder(folder, requests):
    ask("latency/within", folder, P99, requests=requests)
    return folder / "run"


def test_where_it_looks(tmp_path):
    requests = load(500) + load(500, 500, 60, 120)
    outage = fault("outage", "kill", "trouble", injected=70, effective=70, healed=90, gone=90)
    places = ({"in": "baseline"}, "pass"), ({"in": "trouble"}, "fail"), ({}, "fail"), ({"during": "outage"}, "fail")
    for number, (place, answer) in enumerate(places):
        found = ask("latency/within", tmp_path / str(number), {**P99, **place}, requests=requests, faults=[outage])
        says(found, answer, "")


def test_kinds_that_a_good_service_refuses_are_left_out_unless_asked_for(tmp_path):
    requests = load(500) + load(500, 500, kind="broken_json", status=422)
    says(ask("latency/within", tmp_path, P99, requests=requests), "pass", "0 of 500")
    named = {**P99, "kinds": ["broken_json"]}
    says(ask("latency/within", tmp_path / "b", named, requests=requests), "fail", "500 of 500")
