"""Sets the temperature that a simulated device reports, whatever its load is."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.faults.bases.gpu import GpuFault, GpuParams


class GpuTemperatureParams(GpuParams):
    """`celsius`: the temperature it tells, 71 to 120: a healthy simulated device stays below 70."""

    celsius: float = Field(ge=71, le=120)
    example = {"celsius": 92}


class GpuTemperature(GpuFault):
    """A simulated GPU is hot."""

    params: GpuTemperatureParams
    metrics = ("DCGM_FI_DEV_GPU_TEMP",)

    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell whether it is at least as hot as asked for."""
        return values[self.metrics[0]] >= self.params.celsius
