"""Faults of the page of metrics, the log, the answers and the process: what each does to the service, and undoes."""

import asyncio
import json
import math
import re
import time

import pytest

from tests.stacks.reference.conftest import STACK, exchange

ROW = [50, 21, 77, 0, 28, 0, 27, 48, 22]


def post(service, times=1):
    return [service.post("/predict", {"features": ROW})[::2] for _ in range(times)]


def page(service):
    status, _, text = service.call("GET", "/metrics")
    return status, text.decode()


def value(service, name):
    return [line for line in page(service)[1].splitlines() if line.startswith(name)]


def test_nan_is_an_error_that_is_counted_and_never_sent(service, turned):
    turned("nan_output", share=0.5)
    statuses, bodies = zip(*post(service, 4), strict=True)
    assert sorted(statuses) == [200, 200, 500, 500] and not any(b"NaN" in body for body in bodies)
    assert service.counts() == {("shuttle", "success"): 2, ("shuttle", "error"): 2}
    assert service.metric("ml_nonfinite_outputs_total", model_name="shuttle") == 2
    assert {line["status"] for line in service.lines()} == {200, 500}


def test_another_version_is_told_everywhere(service, turned):
    own = service.parts.model.version
    turned("wrong_version", version="0-older")
    assert json.loads(post(service)[0][1])["model_version"] == "0-older" == service.lines()[0]["model_version"]
    assert 'version="0-older"' in value(service, "ml_build_info")[0]
    assert json.loads(service.call("GET", "/v2/models/shuttle")[2])["versions"] == ["0-older"]
    service.parts.faults.turn_off("wrong_version")
    assert own in value(service, "ml_build_info")[0] and own in post(service)[0][1].decode()


def test_only_the_first_requests_after_a_cold_start_wait(service, turned):
    turned("cold_start", delay_ms=20, requests=2)
    assert [service.parts.faults.delay_s() for _ in range(4)] == [0.02, 0.02, 0, 0]


def test_pages_fail_are_frozen_or_lack_a_metric(service, turned):
    turned("metrics_error")
    assert page(service) == (500, "")
    service.parts.faults.turn_off("metrics_error")
    turned("metrics_stale")
    frozen = page(service)[1]
    post(service)
    assert page(service) == (200, frozen)
    service.parts.faults.turn_off("metrics_stale")
    assert page(service)[1] != frozen
    for gone, stays in (
        ("ml_prediction_latency_seconds", "ml_predictions"),
        ("ml_predictions_total", "ml_prediction_"),
    ):
        turned("metrics_missing", metric=gone)
        names = [line.split("{")[0] for line in page(service)[1].splitlines()]
        assert not any(name.startswith(gone) for name in names) and any(name.startswith(stays) for name in names)


def test_a_page_that_hangs_is_answered_at_the_end(service, turned):
    async def hang():
        turned("metrics_hang")
        asking = asyncio.create_task(exchange(service.app, "GET", "/metrics", [b""], {}))
        done, _ = await asyncio.wait([asking], timeout=0.05)
        assert not done
        service.parts.faults.turn_off("metrics_hang")
        return (await asking)[0]

    assert asyncio.run(hang()) == 200


def test_series_explode_and_counters_go_backwards(service, turned):
    post(service, 10)
    turned("metrics_explode", series=3000)
    assert len(value(service, "ml_requests_by_user_total{")) == 3000
    turned("counter_backwards", metric="ml_predictions_total", share=0.5)
    told = [
        value(service, 'ml_predictions_total{model_name="shuttle",status="success"}')[0].split()[1] for _ in range(4)
    ]
    assert told == ["10.0", "5", "10.0", "5"]


def test_all_times_follow_the_clock_that_is_off(service, turned):
    from service.app import check_drift

    turned("clock_offset", offset_s=-3600)
    check_drift(service.parts)
    told = float(value(service, "ml_metrics_timestamp_seconds")[0].split()[1])
    checked = float(value(service, "ml_drift_last_check_timestamp_seconds")[0].split()[1])
    assert told == pytest.approx(time.time() - 3600, abs=60) == checked
    turned("clock_offset", offset_s=7200)
    assert service.parts.wall_s() == pytest.approx(time.time() + 7200, abs=60)
    service.parts.faults.turn_off("clock_offset")
    assert service.parts.wall_s() == pytest.approx(time.time(), abs=60)


def test_a_blocked_loop_keeps_everybody_waiting_and_is_seen_by_the_watch(service, turned):
    from service.eventloop import keep_watch

    async def blocked(name, **parameters):
        watch = asyncio.create_task(keep_watch(service.parts))
        if name:
            turned(name, **parameters)
        await asyncio.sleep(0.18)
        watch.cancel()
        service.parts.faults.turn_off("blocked_loop")

    before = service.metric("ml_event_loop_blocked_seconds_total")
    asyncio.run(blocked(None))
    calm = service.metric("ml_event_loop_blocked_seconds_total")
    asyncio.run(blocked("blocked_loop", block_ms=120, every_ms=51))
    assert before == 0 and service.metric("ml_event_loop_blocked_seconds_total") - calm >= 0.05


@pytest.mark.parametrize(("text", "seconds"), [("12 3500000000 9\n", 3.5), ("", 0), ("1\n", 0), (None, 0)])
def test_time_without_a_processor_is_the_kernels_to_tell(text, seconds, tmp_path):
    from service.eventloop import starved_s

    if text is not None:
        (tmp_path / "schedstat").write_text(text)
    assert starved_s(tmp_path / "schedstat") == seconds


def test_a_starved_loop_is_not_a_blocked_one(service, turned, monkeypatch):
    from service import eventloop

    async def blocked():
        watch = asyncio.create_task(eventloop.keep_watch(service.parts))
        turned("blocked_loop", block_ms=120, every_ms=51)
        await asyncio.sleep(0.18)
        watch.cancel()
        service.parts.faults.turn_off("blocked_loop")

    began = time.monotonic()
    monkeypatch.setattr(eventloop, "starved_s", lambda: time.monotonic() - began)
    asyncio.run(blocked())
    assert service.metric("ml_event_loop_blocked_seconds_total") == 0


def test_memory_is_taken_up_to_its_bound_and_given_back(service, turned):
    from service.faults.process import MemoryLeak

    leak = MemoryLeak({"mib_per_s": 1000, "most_mib": 3})
    leak._began = time.monotonic() - 60
    leak.do()
    leak.do()
    assert leak.state()["held_mib"] == 3
    leak.end(service.parts)
    assert leak.state()["held_mib"] == 0


WRONG = [
    ("metrics_hang", {"share": 1}), ("wrong_version", {"version": "a b"}), ("wrong_version", {"version": 3}),
    ("metrics_missing", {"metric": "a{}"}), ("metrics_explode", {"series": 60_000}),
    ("clock_offset", {"offset_s": math.nan}),
    ("memory_leak", {"mib_per_s": 1}), ("blocked_loop", {"block_ms": 2001, "every_ms": 100}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given"), WRONG)
def test_wrong_parameters_leave_what_is_on(name, given, service):
    with pytest.raises(ValueError, match="expected"):
        service.parts.faults.turn_on(name, given)
    assert service.parts.faults.state() == {}


def test_what_cannot_begin_is_told(service):
    from service.faults.switches import control_app

    service.log.parent.chmod(0o755)
    service.parts.log.path = service.log.parent / "gone" / "requests.jsonl"
    status, _, body = service.call("PUT", "/faults/log_rotate", b"{}", app=control_app(service.parts.faults))
    assert status == 500 and "log_rotate" in body.decode()
    assert service.parts.faults.state() == {}


def test_the_version_that_the_rule_expects_is_the_one_that_is_stored(service):
    rules = (STACK / "prometheus" / "rules" / "model.yml").read_text()
    assert re.findall(r'ml_build_info\{version!="([^"]+)"\}', rules) == [service.parts.model.version]


def test_the_sample_limit_is_well_above_a_healthy_page(service):
    limit = int(re.search(r"sample_limit: (\d+)", (STACK / "prometheus" / "prometheus.yml").read_text())[1])
    warned = int(
        re.search(r"scrape_samples_scraped > (\d+)", (STACK / "prometheus/rules/exposition.yml").read_text())[1]
    )
    samples = [line for line in page(service)[1].splitlines() if not line.startswith("#")]
    assert 5 * len(samples) < warned < limit
