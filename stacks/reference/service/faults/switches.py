"""Which faults there are inside the service, and those that are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.faults import exposition, logfile, model, process
from service.faults.base import Fault

if TYPE_CHECKING:
    from service.inference import Parts

FAULTS: dict[str, type[Fault]] = {
    "model_raises": model.ModelRaises,
    "model_slow": model.ModelSlow,
    "wrong_answers": model.WrongAnswers,
    "nan_output": model.NanOutput,
    "wrong_version": model.WrongVersion,
    "cold_start": model.ColdStart,
    "blocked_loop": process.BlockedLoop,
    "memory_leak": process.MemoryLeak,
    "clock_offset": process.ClockOffset,
    "metrics_hang": exposition.MetricsHang,
    "metrics_error": exposition.MetricsError,
    "metrics_stale": exposition.MetricsStale,
    "metrics_missing": exposition.MetricsMissing,
    "metrics_explode": exposition.MetricsExplode,
    "counter_backwards": exposition.CounterBackwards,
    "log_malformed": logfile.LogMalformed,
    "log_oversize": logfile.LogOversize,
    "log_stop": logfile.LogStop,
    "log_rotate": logfile.LogRotate,
    "log_truncate": logfile.LogTruncate,
}


class Faults:
    """The faults that are on. Turning one on again replaces it; turning off what is off does nothing.

    `offset_s` is how far the wall clock is off, `version` what the service takes its model for, None for what it is.
    """

    def __init__(self) -> None:
        self._on: dict[str, Fault] = {}
        self._parts: Parts | None = None
        self.offset_s = 0.0
        self.version: str | None = None

    def attach(self, parts: Parts) -> None:
        """Say whose faults these are."""
        self._parts = parts

    def turn_on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Turn a fault on. KeyError: no such name, ValueError: wrong parameters, OSError: it cannot begin."""
        fault = FAULTS[name](parameters)
        self.turn_off(name)
        assert self._parts is not None
        fault.begin(self._parts)
        self._on[name] = fault
        self._changed()

    def turn_off(self, name: str) -> None:
        """Turn a fault off. KeyError for an unknown name."""
        FAULTS[name]
        fault = self._on.pop(name, None)
        if fault is not None and self._parts is not None:
            fault.end(self._parts)
        self._changed()

    def _changed(self) -> None:
        self.offset_s = sum(fault.offset_s for fault in self._on.values())
        self.version = next((fault.version for fault in self._on.values() if fault.version), None)

    def delay_s(self) -> float:
        """Return how many seconds this call waits before the model sees it."""
        return sum(fault.delay_s() for fault in tuple(self._on.values())) if self._on else 0.0

    def before_predict(self) -> None:
        """Do what the faults that are on do before each call of the model."""
        if self._on:
            for fault in tuple(self._on.values()):
                fault.before_predict()

    def answered(self, classes: list[int], scores: list[float]) -> tuple[list[int], list[float]]:
        """Return what the faults that are on make of the model's answer."""
        if self._on:
            for fault in tuple(self._on.values()):
                classes, scores = fault.answered(classes, scores)
        return classes, scores

    async def page(self, page: bytes) -> bytes | None:
        """Return what the faults that are on make of the page of /metrics; None answers 500."""
        made: bytes | None = page
        for fault in tuple(self._on.values()):
            if made is not None:
                made = await fault.page(made)
        return made

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the state of every fault that is on, by name."""
        return {name: fault.state() for name, fault in self._on.items()}
