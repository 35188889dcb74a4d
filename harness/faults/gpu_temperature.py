"""A simulated GPU is hot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tocsin.harness.faults.bases.fault import Params
from tocsin.harness.faults.bases.gpu import GpuFault, GpuParams


class GpuTemperatureParams(GpuParams):
    """`celsius`: the temperature it tells, 71 to 120: a healthy simulated device stays below 70."""

    celsius: float = Field(ge=71, le=120)


class GpuTemperature(GpuFault):
    """The device tells this temperature whatever its load is."""

    kind: ClassVar[str] = "gpu_temperature"
    summary: ClassVar[str] = "A simulated GPU is hot."
    Params: ClassVar[type[Params]] = GpuTemperatureParams
    metrics = ("DCGM_FI_DEV_GPU_TEMP",)

    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell whether it is at least as hot as asked for."""
        return bool(values[self.metrics[0]] >= self.params.celsius)
