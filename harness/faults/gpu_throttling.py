"""Lowers the clock of a simulated device, and sets the reason in its bit mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tocsin.harness.declarations.stack_interface import LiveStack
from tocsin.harness.faults.bases.gpu import GpuFault, GpuParams

REASONS = {"hw_slowdown": 0x8, "sw_thermal": 0x20, "hw_thermal": 0x40, "power_brake": 0x80}
"""Reason -> its bit in NVML's clock event reasons (nvml.h, nvmlClocksEventReason...)."""


class GpuThrottlingParams(GpuParams):
    """Why, and to what clock (MHz, 100 to 1300; a healthy simulated device has 1410)."""

    reason: Literal["hw_slowdown", "sw_thermal", "hw_thermal", "power_brake"] = "hw_thermal"
    sm_clock_mhz: float = Field(default=405, ge=100, le=1300)


class GpuThrottling(GpuFault):
    """A simulated GPU slows its clocks down."""

    params: GpuThrottlingParams
    metrics = ("DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")

    def settings(self, live: LiveStack) -> Mapping[str, object]:
        """Return the parameters with the reason's bit."""
        params = self.params
        return {"gpu": params.gpu, "sm_clock_mhz": params.sm_clock_mhz, "reasons": REASONS[params.reason]}

    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell whether the clock is as low as asked for and the bit is set."""
        clock_mhz, reasons = (values[metric] for metric in self.metrics)
        return clock_mhz <= self.params.sm_clock_mhz and bool(int(reasons) & REASONS[self.params.reason])
