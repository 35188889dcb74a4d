"""Simulated GPUs: healthy devices under a moderate load that wanders, the same for the same seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from exporters.fields import Sample

_TOTAL_MIB, _RESERVED_MIB = 16384.0, 256.0


class _Device:
    def __init__(self, gpu: int, seed: int) -> None:
        self.gpu = gpu
        self._random = random.Random(f"{seed}-{gpu}")
        self._load = self._random.uniform(30, 50)  # percent
        self._energy_mj = 0.0

    def step(self, now_s: float) -> Sample:
        """Move the load a little, between 20 and 60 %, and derive the rest from it."""
        self._load = min(max(self._load + self._random.gauss(0, 2), 20.0), 60.0)
        power_w = 60 + 1.5 * self._load
        self._energy_mj += 1000 * power_w
        used = 2048 + 40 * self._load
        values = {
            "DCGM_FI_DEV_SM_CLOCK": 1410.0,
            "DCGM_FI_DEV_MEM_CLOCK": 1215.0,
            "DCGM_FI_DEV_GPU_TEMP": round(38 + 0.4 * self._load),
            "DCGM_FI_DEV_POWER_USAGE": round(power_w, 1),
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": round(self._energy_mj),
            "DCGM_FI_DEV_GPU_UTIL": round(self._load),
            "DCGM_FI_DEV_MEM_COPY_UTIL": round(self._load / 2),
            "DCGM_FI_DEV_FB_USED": round(used),
            "DCGM_FI_DEV_FB_FREE": _TOTAL_MIB - _RESERVED_MIB - round(used),
            "DCGM_FI_DEV_FB_RESERVED": _RESERVED_MIB,
            "DCGM_FI_DEV_XID_ERRORS": 0.0,
            "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0.0,
            "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 0.0,
        }
        uuid = f"GPU-simulated-{self.gpu}"
        return Sample(gpu=self.gpu, uuid=uuid, model="Simulated", simulated=True, read_s=now_s, values=values)


class Simulator:
    """`count` devices numbered from `first`."""

    def __init__(self, count: int, first: int = 0, seed: int = 1, now: Callable[[], float] = time.time) -> None:
        self._devices = [_Device(first + number, seed) for number in range(count)]
        self._now = now

    def read(self) -> list[Sample]:
        """Return the next sample of every device."""
        now_s = self._now()
        return [device.step(now_s) for device in self._devices]
