"""Which faults there are inside the service, and those that are on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType

from service.faults import exposition, logfile, model, process
from service.faults.base import Fault
from service.requestlog import RequestLog


def _faults_in(module: ModuleType) -> dict[str, type[Fault]]:
    """Return name -> class of the faults that a module defines; names with an underscore in front are bases."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Fault)]
    own = [fault for fault in classes if fault.__module__ == module.__name__ and not fault.__name__.startswith("_")]
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", fault.__name__).lower(): fault for fault in own}


FAULTS = {name: fault for module in (model, process, exposition, logfile) for name, fault in _faults_in(module).items()}
"""Every fault by its name: `ModelRaises` is `model_raises`."""


class Faults:
    """The faults that are on. Turning one on again replaces it; turning off what is off does nothing.

    `offset_s` is how far the wall clock is off, `version` what the service reports as its version, None for its own.
    """

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._on: dict[str, Fault] = {}
        self.offset_s = 0.0
        self.version: str | None = None

    def turn_on(self, name: str, given: Mapping[str, object]) -> None:
        """Turn a fault on. KeyError: no such name, ValueError: wrong parameters, OSError: it cannot begin."""
        fault = FAULTS[name](given)
        self.turn_off(name)
        fault.begin(self._log)
        self._on[name] = fault
        self._changed()

    def turn_off(self, name: str) -> None:
        """Turn a fault off. KeyError for an unknown name."""
        if name not in FAULTS:
            raise KeyError(name)
        fault = self._on.pop(name, None)
        if fault is not None:
            fault.end(self._log)
        self._changed()

    def _changed(self) -> None:
        self.offset_s = sum(fault.offset_s for fault in self._on.values())
        self.version = next((fault.version for fault in self._on.values() if fault.version), None)

    def delay_s(self) -> float:
        """Return how many seconds this call waits before the model sees it."""
        if not self._on:
            return 0.0
        return sum(fault.delay_s() for fault in tuple(self._on.values()))

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
        for fault in tuple(self._on.values()):
            altered = await fault.page(page)
            if altered is None:
                return None
            page = altered
        return page

    def state(self) -> dict[str, dict[str, object]]:
        """Return the state of every fault that is on, by name."""
        return {name: fault.state() for name, fault in self._on.items()}
