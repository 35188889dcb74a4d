"""The fields of DCGM that are exported, with their units, and one device's sample of them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = {
    "DCGM_FI_DEV_SM_CLOCK": "SM clock, MHz.",
    "DCGM_FI_DEV_MEM_CLOCK": "Memory clock, MHz.",
    "DCGM_FI_DEV_GPU_TEMP": "Temperature, degrees Celsius.",
    "DCGM_FI_DEV_POWER_USAGE": "Power draw, W.",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "Energy since boot, mJ.",
    "DCGM_FI_DEV_GPU_UTIL": "GPU utilisation, 0..100.",
    "DCGM_FI_DEV_MEM_COPY_UTIL": "Memory utilisation, 0..100.",
    "DCGM_FI_DEV_FB_USED": "Frame buffer used, MiB.",
    "DCGM_FI_DEV_FB_FREE": "Frame buffer free, MiB.",
    "DCGM_FI_DEV_FB_RESERVED": "Frame buffer reserved, MiB.",
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": "Why the clocks are held back, bit mask of NVML's clock event reasons.",
    "DCGM_FI_DEV_XID_ERRORS": "The last Xid code, 0 for none; it stays until the exporter restarts.",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "Double-bit errors since the driver was loaded.",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": "PCIe replays.",
}
COUNTERS = frozenset(
    {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER"}
)
LABELS = ("gpu", "UUID", "device", "modelName", "Hostname", "simulated")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One device, read at `read_s` epoch seconds. `values` lacks the fields that the device does not support."""

    gpu: int
    uuid: str
    model: str
    simulated: bool
    read_s: float
    values: Mapping[str, float]

    def label_values(self) -> list[str]:
        """Return the values of LABELS."""
        host = socket.gethostname()
        return [str(self.gpu), self.uuid, f"nvidia{self.gpu}", self.model, host, "true" if self.simulated else "false"]
