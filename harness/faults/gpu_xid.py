"""Sets the last Xid of a simulated device: the driver's code for an error of the device or of a program on it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tocsin.harness.faults.bases.gpu import GpuFault, GpuParams


class GpuXidParams(GpuParams):
    """`code`: the Xid; 79 is a device that has fallen off the bus, 48 a double-bit error, 13 a program's own fault."""

    code: int = Field(default=79, ge=1, le=999)


class GpuXid(GpuFault):
    """A simulated GPU reports an Xid."""

    params: GpuXidParams
    metrics = ("DCGM_FI_DEV_XID_ERRORS",)

    def shows(self, values: Mapping[str, float]) -> bool:
        """Tell whether the code is the one asked for."""
        return values[self.metrics[0]] == self.params.code
