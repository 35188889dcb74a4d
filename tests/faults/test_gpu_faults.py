"""Faults of simulated GPUs: what the exporter is told, and what a scrape of it shows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.fake_live import FakeLive, answering, fault_stack
from tocsin.harness.faults import make


def sample(metric: str, value: float, gpu: int = 0, simulated: str = "true") -> str:
    return f'{metric}{{gpu="{gpu}",simulated="{simulated}"}} {value}\n'


XID, TEMPERATURE, READ = "DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_GPU_TEMP", "gpu_sample_timestamp_seconds"
CLOCK, REASONS = "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"
USED, FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
SEEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("gpu_xid", {"code": 79}, sample(XID, 79), "present"),
    ("gpu_xid", {"code": 79}, sample(XID, 0), "absent"),
    ("gpu_xid", {"code": 79}, sample(XID, 13), "absent"),
    ("gpu_xid", {"code": 79}, sample(XID, 79, simulated="false"), "cannot_tell"),
    ("gpu_xid", {"code": 79}, sample(XID, 79, gpu=1) + sample(XID, 0), "absent"),
    ("gpu_xid", {"code": 79, "gpu": 1}, sample(XID, 79, gpu=1) + sample(XID, 0), "present"),
    ("gpu_xid", {"code": 79}, "", "cannot_tell"),
    ("gpu_xid", {"code": 79}, "no {metrics page", "cannot_tell"),
    ("gpu_temperature", {"celsius": 92}, sample(TEMPERATURE, 92), "present"),
    ("gpu_temperature", {"celsius": 92}, sample(TEMPERATURE, 60), "absent"),
    ("gpu_throttling", {}, sample(CLOCK, 405) + sample(REASONS, 0x41), "present"),
    ("gpu_throttling", {}, sample(CLOCK, 405) + sample(REASONS, 1), "absent"),
    ("gpu_throttling", {}, sample(CLOCK, 1410) + sample(REASONS, 0x40), "absent"),
    ("gpu_throttling", {}, sample(CLOCK, 405), "cannot_tell"),
    ("gpu_memory", {"share": 0.98}, sample(USED, 15805) + sample(FREE, 323), "present"),
    ("gpu_memory", {"share": 0.98}, sample(USED, 4000) + sample(FREE, 12128), "absent"),
    ("gpu_memory", {"share": 1}, sample(USED, 0) + sample(FREE, 0), "absent"),
    ("gpu_lost", {}, sample(READ, 1, gpu=1), "present"),
    ("gpu_lost", {}, sample(READ, 1), "absent"),
    ("gpu_lost", {}, sample(READ, 1, simulated="false"), "cannot_tell"),
]


@pytest.mark.parametrize(("kind", "params", "page", "state"), SEEN)
def test_the_witness_scrapes_the_exporter(kind: str, params: dict[str, Any], page: str, state: str) -> None:
    with answering(200, page) as (address, calls):
        seen = make(kind, params).witness(FakeLive(address))
    assert (seen.state, calls) == (state, [("GET", "/metrics", None)])
    assert "simulated GPU" in seen.detail or "a real one" in seen.detail


@pytest.mark.parametrize("kind", ["gpu_xid", "gpu_lost"])
def test_an_error_page_cannot_tell(kind: str) -> None:
    with answering(500, sample(XID, 79) + sample(READ, 1)) as (address, _):
        assert make(kind, {}).witness(FakeLive(address)).state == "cannot_tell"


TOLD = [
    ("gpu_xid", {"code": 48}, {"gpu": 0, "code": 48}),
    ("gpu_temperature", {"celsius": 92}, {"gpu": 0, "celsius": 92}),
    ("gpu_throttling", {"reason": "power_brake"}, {"gpu": 0, "sm_clock_mhz": 405, "reasons": 128}),
    ("gpu_memory", {"gpu": 3}, {"gpu": 3, "share": 1}),
    ("gpu_lost", {}, {"gpu": 0}),
]


@pytest.mark.parametrize(("kind", "params", "told"), TOLD)
def test_the_hook_is_told_and_untold(kind: str, params: dict[str, Any], told: dict[str, float]) -> None:
    fault = make(kind, params)
    with answering(200) as (address, calls):
        fault.inject(FakeLive(address))
        fault.heal(FakeLive(address))
    assert calls == [("PUT", f"/faults/{kind}", told), ("DELETE", f"/faults/{kind}", None)]
    assert fault.blinds(fault_stack()) == () and "simulated" in fault.summary


WRONG = [
    ("gpu_xid", {"code": 0}),
    ("gpu_xid", {"gpu": -1}),
    ("gpu_temperature", {"celsius": 70}),
    ("gpu_throttling", {"reason": "idle"}),
    ("gpu_throttling", {"sm_clock_mhz": 1410}),
    ("gpu_memory", {"share": 1.1}),
]


@pytest.mark.parametrize(("kind", "params"), WRONG)
def test_parameters_are_bounded(kind: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        make(kind, params)
