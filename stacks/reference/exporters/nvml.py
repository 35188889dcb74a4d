"""Reads real GPUs through NVML and turns its units into DCGM's."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from types import ModuleType

from exporters.fields import Sample

_MIB = 2**20


def open_reader(library: ModuleType | None = None) -> NvmlReader | None:
    """Return a reader, or None where NVML is missing or finds no device. `library` stands in for pynvml in tests."""
    try:
        if library is None:
            library = importlib.import_module("pynvml")
        library.nvmlInit()
        count = library.nvmlDeviceGetCount()
    except Exception:  # no binding, no driver, no permission: no real devices to export
        return None
    return NvmlReader(library, count) if count else None


class NvmlReader:
    """All devices of one driver. Fields that a device does not support are left out of its samples."""

    def __init__(self, library: ModuleType, count: int) -> None:
        self.count = count
        self._nvml = library
        self._handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        self._xids = dict.fromkeys(range(count), 0.0)
        self._events = self._watch_xids()

    def read(self) -> list[Sample]:
        """Return one sample per device; may block as long as the driver does."""
        self._take_xids()
        return [self._sample(index, handle) for index, handle in enumerate(self._handles)]

    def _sample(self, index: int, handle: object) -> Sample:
        nvml = self._nvml
        values = {"DCGM_FI_DEV_XID_ERRORS": self._xids[index]}
        for field, read in self._readers(handle).items():
            try:
                values[field] = float(read())
            except nvml.NVMLError:  # not supported by this device
                continue
        return Sample(
            gpu=index,
            uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
            model=_text(nvml.nvmlDeviceGetName(handle)),
            simulated=False,
            read_s=time.time(),
            values=values,
        )

    def _readers(self, handle: object) -> dict[str, Callable[[], float]]:
        nvml = self._nvml

        def memory(part: str) -> float:
            info = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
            return float(getattr(info, part)) / _MIB

        return {
            "DCGM_FI_DEV_SM_CLOCK": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
            "DCGM_FI_DEV_MEM_CLOCK": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
            "DCGM_FI_DEV_GPU_TEMP": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            "DCGM_FI_DEV_POWER_USAGE": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle),
            "DCGM_FI_DEV_GPU_UTIL": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
            "DCGM_FI_DEV_MEM_COPY_UTIL": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).memory,
            "DCGM_FI_DEV_FB_USED": lambda: memory("used"),
            "DCGM_FI_DEV_FB_FREE": lambda: memory("free"),
            "DCGM_FI_DEV_FB_RESERVED": lambda: memory("reserved"),
            "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
            "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": lambda: nvml.nvmlDeviceGetTotalEccErrors(
                handle, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
            ),
            "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": lambda: nvml.nvmlDeviceGetPcieReplayCounter(handle),
        }

    def _watch_xids(self) -> object:
        try:
            events = self._nvml.nvmlEventSetCreate()
            for handle in self._handles:
                self._nvml.nvmlDeviceRegisterEvents(handle, self._nvml.nvmlEventTypeXidCriticalError, events)
        except self._nvml.NVMLError:  # events are not supported everywhere; the code then stays 0
            return None
        return events

    def _take_xids(self) -> None:
        while self._events is not None:
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, 0)
            except self._nvml.NVMLError:  # a timeout: nothing is waiting
                return
            for index, handle in enumerate(self._handles):
                if self._nvml.nvmlDeviceGetUUID(event.device) == self._nvml.nvmlDeviceGetUUID(handle):
                    self._xids[index] = float(event.eventData)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
