"""Fills the memory of a simulated device: used and free frame buffer change together, as DCGM reports them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.faults.bases.gpu import GpuFault, GpuParams

_NEARLY = 0.999
"""Tolerance of the share: the exporter reports whole MiB."""


class GpuMemoryParams(GpuParams):
    """`share` of the frame buffer that is used, 0.5 to 1: a healthy simulated device uses less than a third."""

    share: float = Field(default=1.0, ge=0.5, le=1)
    example = {"share": 0.98}


class GpuMemory(GpuFault):
    """The memory of a simulated GPU fills up."""

    params: GpuMemoryParams
    metrics = ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE")

    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell whether the share is used."""
        used, free = (values[metric] for metric in self.metrics)
        return used >= _NEARLY * self.params.share * (used + free) > 0
