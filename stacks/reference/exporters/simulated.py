"""Simulated GPUs: healthy devices under a moderate load that wanders, the same for the same seed.

For fire drills they can be given faults (FAULTS); what is read from a real device is never altered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from exporters.fields import Sample

_TOTAL_MIB, _RESERVED_MIB = 16384.0, 256.0
_GPU = {"gpu": (0.0, 1023.0)}
FAULTS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "gpu_xid": {**_GPU, "code": (1, 999)},
    "gpu_temperature": {**_GPU, "celsius": (0, 150)},
    "gpu_throttling": {**_GPU, "reasons": (1, 511), "sm_clock_mhz": (1, 1410)},
    "gpu_memory": {**_GPU, "share": (0, 1)},
    "gpu_lost": _GPU,
}
"""Fault -> parameter -> (least, most)."""


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
            "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 0.0,
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


def altered(samples: Iterable[Sample], on: Mapping[str, Mapping[str, float]]) -> list[Sample]:
    """Return the samples as altered by the faults that are on; a lost device is left out, a real one unchanged."""
    if not on:
        return list(samples)
    shown = []
    for sample in samples:
        faults = {name: params for name, params in on.items() if sample.simulated and params.get("gpu") == sample.gpu}
        if "gpu_lost" not in faults:
            shown.append(replace(sample, values={**sample.values, **_values(faults)}))
    return shown


def _values(faults: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    values: dict[str, float] = {}
    if "gpu_xid" in faults:
        values["DCGM_FI_DEV_XID_ERRORS"] = faults["gpu_xid"]["code"]
    if "gpu_temperature" in faults:
        values["DCGM_FI_DEV_GPU_TEMP"] = faults["gpu_temperature"]["celsius"]
    if "gpu_throttling" in faults:
        values["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"] = faults["gpu_throttling"]["reasons"]
        values["DCGM_FI_DEV_SM_CLOCK"] = faults["gpu_throttling"]["sm_clock_mhz"]
    if "gpu_memory" in faults:
        room = _TOTAL_MIB - _RESERVED_MIB
        values["DCGM_FI_DEV_FB_USED"] = round(room * faults["gpu_memory"]["share"])
        values["DCGM_FI_DEV_FB_FREE"] = room - values["DCGM_FI_DEV_FB_USED"]
    return values
